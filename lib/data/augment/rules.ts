import { ConfigError, describe } from '../../errors.ts'
import type { Random } from '../../random.ts'
import { type Item, itemsOf, type Stage } from '../stream.ts'

/**
 * Token dropout: leaves tokens of a text out, each with probability `rate`, but never all of them.
 *
 * @param rate in [0, 1).
 * @throws {ConfigError} for another rate.
 * @see Wei and Zou 2019, EDA, random deletion. https://arxiv.org/abs/1901.11196
 */
export function tokenDropout(rate: number): (tokens: Int32Array, random: Random) => Int32Array {
  if (!(rate >= 0 && rate < 1)) throw new ConfigError(`tokenDropout: expected rate in [0, 1), got ${describe(rate)}`)
  return (tokens, random) => {
    const kept = tokens.filter(() => random.uniform() >= rate)
    if (kept.length > 0 || tokens.length === 0) return kept
    const only = random.below(tokens.length)
    return tokens.slice(only, only + 1)
  }
}

/** Two texts of one example, such as the sentences of a similarity task. */
export interface TextPair {
  readonly text: string
  readonly textPair: string
}

/**
 * Gives each example twice, the second time with its texts swapped: for tasks in which their order means nothing. ELECTRA's
 * fine-tuning on MRPC and STS does it.
 */
export function swapPairs<T extends TextPair>(): Stage<T, T> {
  return {
    give(group) {
      const { value } = group[0] as Item<T>
      return itemsOf([value, { ...value, text: value.textPair, textPair: value.text }], group)
    },
  }
}
