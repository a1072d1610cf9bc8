import type { Row } from '../data/index.ts'
import { ConfigError, describe } from '../errors.ts'
import { textField } from './fields.ts'
import { answerScore, bleuScore, correlationScore, exactScore, rougeScore } from './scores.ts'
import type { TextTask } from './text-task.ts'

/** What a task of one's own may be scored by, with the score that tells which is better. */
const scores = {
  accuracy: { metric: 'accuracy', score: exactScore },
  answers: { metric: 'f1', score: answerScore },
  bleu: { metric: 'bleu', score: bleuScore },
  correlation: { metric: 'pearson', score: correlationScore },
  rouge: { metric: 'rougeLsum', score: rougeScore },
} as const

export const scoreNames = Object.keys(scores) as (keyof typeof scores)[]

export interface CustomTaskOptions {
  /** @default 'custom' */
  readonly name?: string
  /** What the model reads, with `{column}` for the text of a column: `'translate: {source}'`. */
  readonly input: string
  /** What it is to write, in the same way. */
  readonly target: string
  /** @default 'accuracy' */
  readonly score?: keyof typeof scores
  /** Most tokens of a target. @default 512 */
  readonly maxTargetLength?: number
}

/**
 * A text-to-text task of one's own.
 *
 * @throws {ConfigError} for a template without a column, and a score that there is not.
 */
export function customTask(options: CustomTaskOptions): TextTask {
  const { name = 'custom', input, target, score = 'accuracy', maxTargetLength = 512 } = options
  if (!Object.hasOwn(scores, score)) {
    throw new ConfigError(`task: expected score to be ${scoreNames.join(', ')}, got ${describe(score)}`)
  }
  const [inputOf, targetOf] = [template('input', input), template('target', target)]
  return {
    name,
    maxTargetLength,
    format: (row) => [{ input: inputOf(row), target: targetOf(row) }],
    ...scores[score],
  }
}

function template(name: string, text: string): (row: Row) => string {
  if (!/\{[^{}]+\}/.test(text)) {
    throw new ConfigError(`task: expected ${name} with a {column}, got ${describe(text)}`)
  }
  return (row) => text.replace(/\{([^{}]+)\}/g, (_, column: string) => textField(row, column))
}
