// What text-to-text tasks are scored by: shares from 0 to 1, but for BLEU. Texts are compared without surrounding space.
import { accuracy, answerScores, bleu, f1, matthews, pearson, rouge, spearman } from '../metrics/index.ts'
import { answersOf, type TextExample, type TextTask } from './text-task.ts'

type Score = TextTask['score']

const invalid = -1

/** Numbers of classes; −1 for a text that names none. */
function classesOf(texts: readonly string[], labels: readonly string[]): number[] {
  return texts.map((text) => labels.indexOf(text.trim()))
}

function targetsOf(examples: readonly TextExample[]): string[] {
  return examples.map(({ target }) => target)
}

/** Share of texts that are the target, or one of the answers. */
export const exactScore: Score = (predictions, examples) => {
  const hits = predictions.map((text, i) => answersOf(examples[i] as TextExample).includes(text.trim()))
  return { accuracy: accuracy(hits.map(Number), new Array<number>(examples.length).fill(1)) }
}

/** F1 of the second of two classes, and accuracy. What is neither class counts as the wrong one. */
export function binaryF1Score(labels: readonly [string, string]): Score {
  return (predictions, examples) => {
    const references = classesOf(targetsOf(examples), labels)
    const classes = classesOf(predictions, labels)
    const counted = classes.map((label, i) => (label === invalid ? 1 - (references[i] as number) : label))
    return { f1: f1(counted, references), ...exactScore(predictions, examples) }
  }
}

/** Matthews' correlation; what is no class is one more. */
export function matthewsScore(labels: readonly string[]): Score {
  return (predictions, examples) => ({
    matthews: matthews(classesOf(predictions, labels), classesOf(targetsOf(examples), labels)),
  })
}

/** Mean of the F1 of all classes, and accuracy. */
export function macroF1Score(labels: readonly string[]): Score {
  return (predictions, examples) => {
    const [classes, references] = [classesOf(predictions, labels), classesOf(targetsOf(examples), labels)]
    const each = labels.map((_, label) => f1(classes, references, label))
    return { macroF1: each.reduce((sum, value) => sum + value, 0) / each.length, ...exactScore(predictions, examples) }
  }
}

/** Correlations of numbers; a text that is none counts as −1. */
export const correlationScore: Score = (predictions, examples) => {
  const number = (text: string) => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : -1)
  const [numbers, references] = [predictions.map(number), targetsOf(examples).map(number)]
  return { pearson: pearson(numbers, references), spearman: spearman(numbers, references) }
}

/** F1 over all answers, and the share of questions of which all answers are judged right. */
export function groupedF1Score(labels: readonly [string, string]): Score {
  return (predictions, examples) => {
    const isAllRight = new Map<string, number>()
    for (const [i, { group = String(i), target }] of examples.entries()) {
      const isRight = Number((predictions[i] as string).trim() === target)
      isAllRight.set(group, Math.min(isRight, isAllRight.get(group) ?? 1))
    }
    const groups = [...isAllRight.values()]
    const { f1 } = binaryF1Score(labels)(predictions, examples) as { f1: number }
    return { f1, exactMatch: groups.reduce((sum, value) => sum + value, 0) / groups.length }
  }
}

/** As SQuAD compares answers; the best over all right ones counts. */
export const answerScore: Score = (predictions, examples) => ({ ...answerScores(predictions, examples.map(answersOf)) })

/** ROUGE with a sentence a line: T5 writes them with a full stop between spaces. */
export const rougeScore: Score = (predictions, examples) => {
  const lines = (text: string) => text.replaceAll(' . ', ' .\n')
  return { ...rouge(predictions.map(lines), targetsOf(examples).map(lines)) }
}

/** BLEU, from 0 to 100, with the tokenizer that T5's paper uses. */
export const bleuScore: Score = (predictions, examples) => ({
  bleu: bleu(
    predictions,
    targetsOf(examples).map((target) => [target]),
    { tokenize: 'intl' },
  ).score,
})

const determiners = new Set(
  'a an few her his each every many much my our some that the their these this those which whose your'.split(' '),
)

/** Without capitals and words that only point. */
function contentWords(text: string): Set<string> {
  const words = text.trim().toLowerCase().split(' ')
  return new Set(words.filter((word) => word !== '' && !determiners.has(word)))
}

/**
 * Whether what was written names the referent, told loosely: one has all words of the other, and both or neither are
 * possessive. Accuracy is of that, against whether the target is the referent.
 */
export const referentScore: Score = (predictions, examples) => {
  const judged = predictions.map((prediction, i) => {
    const { target } = examples[i] as TextExample
    const [a, b] = [contentWords(prediction), contentWords(target)]
    if (a.size === 0) return invalid
    const within = (small: ReadonlySet<string>, large: ReadonlySet<string>) =>
      [...small].every((word) => large.has(word))
    return Number(prediction.includes("'") === target.includes("'") && (within(a, b) || within(b, a)))
  })
  return {
    accuracy: accuracy(
      judged,
      examples.map(({ isRight = true }) => Number(isRight)),
    ),
  }
}
