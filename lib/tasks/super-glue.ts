import type { Row } from '../data/index.ts'
import { DataError } from '../errors.ts'
import { labelField, numberField, objectField, textField, textsField } from './fields.ts'
import { labelledFormat } from './glue.ts'
import { answerScore, exactScore, groupedF1Score, macroF1Score, referentScore } from './scores.ts'
import type { TextExample, TextTask } from './text-task.ts'

/** Most tokens of a target in SuperGLUE. */
const maxTargetLength = 62

const truth = ['False', 'True'] as const
const commitment = ['entailment', 'contradiction', 'neutral'] as const

/**
 * SuperGLUE's tasks, and definite pronoun resolution, as T5 was trained on them, on rows with SuperGLUE's own columns. RTE
 * is GLUE's.
 *
 * @see Raffel et al. 2020, appendix D. https://arxiv.org/abs/1910.10683
 */
export const superGlueTasks: readonly TextTask[] = [
  {
    name: 'boolq',
    maxTargetLength,
    format: labelledFormat('boolq', ['passage', 'question'], truth),
    metric: 'accuracy',
    score: exactScore,
  },
  {
    name: 'cb',
    maxTargetLength,
    format: labelledFormat('cb', ['hypothesis', 'premise'], commitment),
    metric: 'macroF1',
    score: macroF1Score(commitment),
  },
  {
    name: 'copa',
    maxTargetLength,
    format: labelledFormat('copa', ['choice1', 'choice2', 'premise', 'question'], ['choice1', 'choice2']),
    metric: 'accuracy',
    score: exactScore,
  },
  { name: 'multirc', maxTargetLength, format: multiRc, metric: 'f1', score: groupedF1Score(truth) },
  { name: 'record', maxTargetLength, format: record, metric: 'f1', score: answerScore },
  {
    name: 'wic',
    maxTargetLength,
    format: labelledFormat('wic', ['sentence1', 'sentence2', 'word'], truth),
    metric: 'accuracy',
    score: exactScore,
  },
  { name: 'wsc', maxTargetLength, format: winograd, metric: 'accuracy', score: referentScore },
  { name: 'dpr', maxTargetLength, format: pronounResolution, metric: 'accuracy', score: referentScore },
]

const multiRcColumns = labelledFormat('multirc', ['question', 'answer', 'paragraph'], truth)

function multiRc(row: Row): readonly TextExample[] {
  const [example] = multiRcColumns(row) as [TextExample]
  const input = example.input.replaceAll('<br>', ' ').replace(/<\/?b>/g, '')
  const group = row.idx === undefined ? {} : { group: questionOf(objectField(row, 'idx')) }
  return [{ ...example, input, ...group }]
}

/** Questions are numbered within their paragraph in some copies of the data. */
function questionOf(idx: Row): string {
  return `${idx.paragraph ?? ''} ${numberField(idx, 'question')}`
}

function record(row: Row): readonly TextExample[] {
  const passage = textField(row, 'passage')
    .replace(/([.?!"'])\n@highlight\n/g, '$1 ')
    .replaceAll('\n@highlight\n', '. ')
  const entities = textsField(row, 'entities').join(', ')
  const input = `record query: ${textField(row, 'query')} entities: ${entities} passage: ${passage}`
  const answers = textsField(row, 'answers')
  if (answers.length === 0) return [{ input, target: '<unk>' }]
  return answers.map((target) => ({ input, target, answers }))
}

/** The pronoun is starred, and what it refers to is to be written. */
function winograd(row: Row): readonly TextExample[] {
  const pronoun = textField(row, 'span2_text')
  const words = textField(row, 'text').trim().split(' ')
  const index = numberField(row, 'span2_index')
  // In two rows of SuperGLUE the number is off by one, or punctuation is stuck to the pronoun.
  const at = [index, index + 1, index - 1].find((i) => startsWith(words[i], pronoun))
  if (at === undefined) {
    throw new DataError(`task: expected ${JSON.stringify(pronoun)} as word ${index} of text, got ${words[index]}`)
  }
  const rest = (words[at] as string).slice(pronoun.length)
  const starred = [...words.slice(0, at), `*${pronoun}*`, ...(rest === '' ? [] : [rest]), ...words.slice(at + 1)]
  const isRight = labelField({ label: row.label ?? 1 }, truth) === 'True'
  return [{ input: `wsc: ${starred.join(' ')}`, target: textField(row, 'span1_text'), isRight }]
}

/** Whether a word is another one, but for punctuation that follows. */
function startsWith(word: string | undefined, start: string): boolean {
  return word?.startsWith(start) === true && !/^[\p{L}\p{N}']/u.test(word.slice(start.length))
}

function pronounResolution(row: Row): readonly TextExample[] {
  const [sentence, pronoun] = [textField(row, 'sentence'), textField(row, 'pronoun')]
  // Of several the first one is meant.
  const at = [' ', '.', ',']
    .map((end) => sentence.indexOf(` ${pronoun}${end}`))
    .filter((found) => found >= 0)
    .reduce((first, found) => Math.min(first, found), Infinity)
  if (at === Infinity) {
    throw new DataError(`task: expected ${JSON.stringify(pronoun)} in sentence, got ${JSON.stringify(sentence)}`)
  }
  const rest = sentence.slice(at + 1 + pronoun.length)
  const input = `wsc: ${sentence.slice(0, at)} *${pronoun}*${rest}`
  return [{ input, target: labelField(row, textsField(row, 'candidates')) }]
}
