import { type Flag, integer, text, texts } from '../flags.ts'

const description =
  "classification, multi-label, regression, tagging, question-answering, multiple-choice, or a task in words: text-to-text, or one of T5's own by name (sst2, squad, …); in a config file also a mapping that describes one"

/** What is learnt. */
export const taskFlag: Flag<string | Readonly<Record<string, unknown>>> = {
  ...text('NAME', description),
  expected: 'a name, or a mapping that describes a task in words',
  fromConfig: (value) => {
    if (typeof value === 'string' && value !== '') return value
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isMapping ? (value as Readonly<Record<string, unknown>>) : undefined
  },
}

/** How rows become examples. */
export const taskFlags = {
  textColumn: text('NAME', 'column of the texts [text, or else the first beside the label]'),
  pairColumn: text('NAME', 'column of second texts, for pairs'),
  labelColumn: text('NAME', 'column of the labels [label]'),
  maxLength: integer('N', 'most tokens of a text, which is cut to them [128; question-answering 384; T5 512]', 5),
  docStride: integer('N', 'tokens that windows of a long context share, in question-answering [128]'),
  targets: texts('TEXT', 'what a task in words chooses among when it is evaluated, by likelihood [it writes freely]'),
  maxAnswerLength: integer('N', 'most tokens of an answer, in question-answering [30]', 1),
}
