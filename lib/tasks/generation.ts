import type { Row } from '../data/index.ts'
import { DataError } from '../errors.ts'
import { objectField, textField, textsField } from './fields.ts'
import { answerScore, bleuScore, rougeScore } from './scores.ts'
import type { TextExample, TextTask } from './text-task.ts'

/** Most tokens of a target where texts are long. */
const longest = 512

const languages = { en: 'English', de: 'German', fr: 'French', ro: 'Romanian' } as const
type Language = keyof typeof languages

/** Answers, summaries and translations as T5 was trained on them. */
export const generationTasks: readonly TextTask[] = [
  // An answer of SQuAD has at most 97 tokens.
  { name: 'squad', maxTargetLength: 97, format: squad, metric: 'f1', score: answerScore },
  {
    name: 'cnn_dailymail',
    maxTargetLength: longest,
    format: (row) => [{ input: `summarize: ${textField(row, 'article')}`, target: textField(row, 'highlights') }],
    metric: 'rougeLsum',
    score: rougeScore,
  },
  translationTask('en', 'de'),
  translationTask('en', 'fr'),
  translationTask('en', 'ro'),
]

/** Spaces around ASCII punctuation; runs of spaces become one. A space at the end would be a token of its own. */
function padded(text: string): string {
  return text
    .replace(/[!-/:-@[-`{-~]/g, ' $& ')
    .replace(/\s+/g, ' ')
    .trim()
}

function squad(row: Row): readonly TextExample[] {
  const input = `question: ${padded(textField(row, 'question'))} context: ${padded(textField(row, 'context'))}`
  const answers = textsField(objectField(row, 'answers'), 'text').map(padded)
  const [target] = answers
  if (target === undefined) throw new DataError('task: expected an answer to each question, got none')
  return [{ input, target, answers }]
}

/** Of WMT: rows with a column for each language, or with both in `translation`. */
function translationTask(from: Language, to: Language): TextTask {
  const prefix = `translate ${languages[from]} to ${languages[to]}: `
  return {
    name: `wmt_${from}_${to}`,
    maxTargetLength: longest,
    format(row) {
      const texts = row.translation === undefined ? row : objectField(row, 'translation')
      return [{ input: prefix + textField(texts, from), target: textField(texts, to) }]
    },
    metric: 'bleu',
    score: bleuScore,
  }
}
