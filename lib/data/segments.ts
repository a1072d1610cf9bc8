import { ConfigError, describe } from '../errors.ts'
import type { Random } from '../random.ts'
import { itemsOf, type Stage } from './stream.ts'

export interface SegmentOptions {
  /** Tokens of a segment; `spanCorruptionLengths` says how many an objective needs. */
  readonly segmentLength: number
  /** Documents that are joined before they are cut. @default 128 */
  readonly documents?: number
  /** Of a longer document only one part of this many tokens is taken, each as likely. @default 65536 */
  readonly maxDocumentLength?: number
}

/**
 * Cuts the tokens of documents into segments of one length, as T5's pre-training does: documents are joined in groups, and
 * each group is cut; its last segment may be shorter. Empty documents are skipped.
 *
 * @throws {ConfigError} for options below 1.
 * @see Raffel et al. 2020, section 3.1.4. https://arxiv.org/abs/1910.10683
 */
export function segments(options: SegmentOptions): Stage<Int32Array, Int32Array> {
  const { segmentLength, documents = 128, maxDocumentLength = 65536 } = options
  for (const [name, value] of Object.entries({ segmentLength, documents, maxDocumentLength })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigError(`segments: expected ${name} >= 1, got ${describe(value)}`)
    }
  }
  return {
    size: documents,
    give(group, random) {
      const parts = group.map(({ value }) => onePart(value, maxDocumentLength, random))
      return itemsOf(cut(joined(parts), segmentLength), group)
    },
  }
}

function onePart(tokens: Int32Array, length: number, random: Random): Int32Array {
  if (tokens.length <= length) return tokens
  const start = length * random.below(Math.ceil(tokens.length / length))
  return tokens.subarray(start, start + length)
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function cut(tokens: Int32Array, length: number): Int32Array[] {
  const count = Math.ceil(tokens.length / length)
  return Array.from({ length: count }, (_, i) => tokens.slice(i * length, (i + 1) * length))
}
