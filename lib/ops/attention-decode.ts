import { nonDifferentiable } from '../autograd/differentiable.ts'
import { describe, ShapeError } from '../errors.ts'
import { native, Tensor } from '../tensor.ts'

/**
 * Which rows of a step belong to which slot of a cache, as tensors with host copies: sequence i has the rows
 * `cuSeqlens[i]` to `cuSeqlens[i + 1]` and reads the first `lengths[i]` keys of slot `slots[i]`, its new rows included.
 */
export interface CacheRows {
  /** (n + 1) int32 */
  readonly cuSeqlens: Tensor
  /** (n) int32 */
  readonly slots: Tensor
  /** (n) int32 */
  readonly lengths: Tensor
}

/**
 * The rows of one step, the same for every layer; whoever asks disposes of them.
 *
 * @param slots of each active sequence. Several may read one slot (beams and their source), but not append to it.
 * @param lengths keys that each sequence sees, those appended in this step included.
 * @param counts rows of each sequence. @default one each
 * @throws {ShapeError} if there are not as many lengths and counts as slots, or a count is negative.
 */
export function cacheRows(slots: readonly number[], lengths: readonly number[], counts?: readonly number[]): CacheRows {
  if (lengths.length !== slots.length || (counts && counts.length !== slots.length)) {
    const got = `${lengths.length} lengths${counts ? ` and ${counts.length} counts` : ''}`
    throw new ShapeError(`cacheRows: expected ${slots.length} of each, got ${got}`)
  }
  const cuSeqlens = new Int32Array(slots.length + 1)
  for (let i = 0; i < slots.length; i++) {
    const count = counts ? counts[i] : 1
    if (!Number.isSafeInteger(count) || (count as number) < 0) {
      throw new ShapeError(`cacheRows: expected counts >= 0, got ${describe(count)}`)
    }
    cuSeqlens[i + 1] = (cuSeqlens[i] as number) + (count as number)
  }
  return {
    cuSeqlens: Tensor.fromWithHostCopy(cuSeqlens),
    slots: Tensor.fromWithHostCopy(Int32Array.from(slots)),
    lengths: Tensor.fromWithHostCopy(Int32Array.from(lengths)),
  }
}

/**
 * Writes new keys and values to the end of their slots: row r of a sequence with n rows becomes key `length − n + r`.
 * Decoding appends a row or a few to each slot; cross-attention writes all rows of a source once.
 *
 * @param cacheK (S, H, maxLen, D) float32, updated in place; the last dimension dense.
 * @param cacheV the same for values.
 * @param k (N, H, D) float; rows and heads at any stride.
 * @param v (N, H, D)
 * @param rows where they go, see `cacheRows`; every slot at most once.
 * @throws {ShapeError} if shapes differ or offsets do not cover the rows.
 * @throws {IndexError} if a slot is not in [0, S) or named twice, or a length is below its rows or above maxLen; nothing
 *   is written then.
 */
export const kvCacheAppend = nonDifferentiable(
  'kvCacheAppend',
  (cacheK: Tensor, cacheV: Tensor, k: Tensor, v: Tensor, { cuSeqlens, slots, lengths }: CacheRows): void =>
    native.kvCacheAppend(cacheK, cacheV, k, v, cuSeqlens, slots, lengths),
)

/**
 * A table of slots after sequences continued others, without copying keys: sequence i, now in slot `slots[i]`, sees the
 * first `lengths[i]` keys that the one before it in slot `before[rows[i]]` saw; the rest of its line are its own slot's.
 * Lines of slots that are not named stay as they are.
 *
 * @param slotTable (S, maxLen) int32, see `attentionDecode`.
 * @param before (m) int32: slots of the sequences that were.
 * @param rows (n) int32: which of these each sequence continues.
 * @param slots (n) int32: each its own.
 * @param lengths (n) int32, 0 … maxLen.
 * @returns (S, maxLen) int32.
 * @throws {IndexError} at the next wait, if a number is outside its range.
 */
export const continueSlots = nonDifferentiable(
  'continueSlots',
  (slotTable: Tensor, before: Tensor, rows: Tensor, slots: Tensor, lengths: Tensor): Tensor =>
    native.continueSlots(slotTable, before, rows, slots, lengths),
)

export interface AttentionDecodeOptions {
  /**
   * (S, maxLen) int32: key t of slot s lies in slot `slotTable[s, t]`. A beam that continues another takes over that
   * one's row of the table instead of its keys; new keys are the slot's own. @default every key in its own slot
   */
  slotTable?: Tensor | null
  /** (numBuckets, H) T5's relative position bias. */
  biasTable?: Tensor | null
  /** Factor of Q·Kᵀ: 1 in T5. @default 1 */
  scale?: number
  /** Keys after the query are hidden, the last row of a sequence seeing all `lengths[i]` of them. @default false */
  causal?: boolean
  /** Of the table: whether keys before and after the query have buckets of their own. @default true */
  bidirectional?: boolean
  /** Of the table: distances from here on share the last bucket. @default 128 */
  maxDistance?: number
}

/**
 * The decode form of attention: `softmax(scale · Q·Kᵀ + bias) · V` of the few rows of each active sequence against its
 * keys in a cache, equal to `attention` over the same keys without positions. It has no gradient.
 *
 * Sequences that read the same slot without a table, such as the beams of one source in cross-attention, have its keys
 * and values read once for sixteen of their rows.
 *
 * @param q (N, H, D) float; rows and heads at any stride.
 * @param cacheK (S, H, maxLen, D) float32; the new keys appended before.
 * @param cacheV the same for values.
 * @param rows whose rows q has, see `cacheRows`.
 * @returns (N, H, D) of q's dtype; zeros for a row that sees no key.
 * @throws {ShapeError} if shapes differ or offsets do not cover the rows.
 * @throws {IndexError} if a slot is not in [0, S) or a length not in [0, maxLen]; at the next wait, if the table names a
 *   slot outside [0, S) for a key within its length.
 */
export function attentionDecode(
  q: Tensor,
  cacheK: Tensor,
  cacheV: Tensor,
  rows: CacheRows,
  options: AttentionDecodeOptions = {},
): Tensor {
  return decode(q, cacheK, cacheV, options.biasTable ?? null, rows, options)
}

const decode = nonDifferentiable(
  'attentionDecode',
  (
    q: Tensor,
    cacheK: Tensor,
    cacheV: Tensor,
    biasTable: Tensor | null,
    { cuSeqlens, slots, lengths }: CacheRows,
    options: AttentionDecodeOptions,
  ): Tensor => {
    const { slotTable = null, scale = 1, causal = false, bidirectional = true, maxDistance = 128 } = options
    const attrs = { scale, causal, bidirectional, maxDistance }
    return native.attentionDecode(q, cacheK, cacheV, cuSeqlens, slots, lengths, slotTable, biasTable, attrs)
  },
)
