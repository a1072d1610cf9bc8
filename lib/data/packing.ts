import { ConfigError, DataError, describe } from '../errors.ts'
import type { Seq2SeqExample } from './objectives/denoise.ts'
import { type Item, itemsOf, type Stage } from './stream.ts'

export interface PackOptions {
  /** Most tokens of the inputs of a batch, in all. */
  readonly maxInputTokens: number
  /** Most tokens of its labels, in all. */
  readonly maxTargetTokens: number
  /** @default unlimited */
  readonly maxExamples?: number
}

/**
 * Packs examples into batches of fixed budgets of tokens: in order, each joins the batch while both its inputs and its
 * labels fit, otherwise the batch is closed. Models lay a batch out in rows without padding and keep its examples apart, so
 * that a batch costs what its tokens cost, and gives what its examples give one by one, to rounding.
 *
 * @throws {ConfigError} for budgets below 1. Reading throws {DataError} for an example that no batch can hold.
 */
export function pack(options: PackOptions): Stage<Seq2SeqExample, Seq2SeqExample[]> {
  const { maxInputTokens, maxTargetTokens, maxExamples = Number.MAX_SAFE_INTEGER } = options
  for (const [name, value] of Object.entries({ maxInputTokens, maxTargetTokens, maxExamples })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigError(`pack: expected ${name} >= 1, got ${describe(value)}`)
    }
  }
  const fits = (group: readonly Item<Seq2SeqExample>[]) => {
    const { inputs, targets } = tokensOf(group)
    return inputs <= maxInputTokens && targets <= maxTargetTokens
  }
  return {
    size: maxExamples,
    takes: (group, next) => fits([...group, next]),
    give(group) {
      if (fits(group)) return itemsOf([group.map(({ value }) => value)], group)
      const { inputs, targets } = tokensOf(group)
      const expected = `at most ${maxInputTokens} input and ${maxTargetTokens} target tokens`
      throw new DataError(`pack: expected examples of ${expected}, got one of ${inputs} and ${targets}`)
    },
  }
}

function tokensOf(group: readonly Item<Seq2SeqExample>[]): { inputs: number; targets: number } {
  const sum = (length: (example: Seq2SeqExample) => number) => group.reduce((n, { value }) => n + length(value), 0)
  return { inputs: sum(({ inputIds }) => inputIds.length), targets: sum(({ labels }) => labels.length) }
}
