// The decode form of attention as the plain one over keys gathered from the cache, and the cache's growth.
import { type NdArray, type Round, zeros } from './array.ts'
import { type AttentionSpec, attention } from './attention.ts'

/** Rows of each active sequence: how many, which slot, and how many keys that then has. */
export interface CacheRows {
  readonly slots: readonly number[]
  readonly lengths: readonly number[]
  readonly counts: readonly number[]
}

function offsets(counts: readonly number[]): number[] {
  const sums = [0]
  for (const n of counts) sums.push(sums.at(-1)! + n)
  return sums
}

export function append(cache: NdArray, rows: NdArray, { slots, lengths, counts }: CacheRows): NdArray {
  const [, heads, maxLength, size] = cache.shape as [number, number, number, number]
  const result = { shape: cache.shape, data: cache.data.slice() }
  const starts = offsets(counts)
  slots.forEach((slot, i) => {
    for (let n = 0; n < counts[i]!; n++) {
      const t = lengths[i]! - counts[i]! + n
      for (let h = 0; h < heads; h++) {
        for (let d = 0; d < size; d++) {
          const to = ((slot * heads + h) * maxLength + t) * size + d
          result.data[to] = rows.data[((starts[i]! + n) * heads + h) * size + d]!
        }
      }
    }
  })
  return result
}

/** The first keys of each sequence's slot as packed rows (Nk, H, D). */
function gather(cache: NdArray, { slots, lengths }: CacheRows, table: NdArray | undefined): NdArray {
  const [, heads, maxLength, size] = cache.shape as [number, number, number, number]
  const result = zeros([lengths.reduce((a, b) => a + b, 0), heads, size])
  let at = 0
  slots.forEach((own, i) => {
    for (let t = 0; t < lengths[i]!; t++) {
      const slot = table ? table.data[own * maxLength + t]! : own
      for (let h = 0; h < heads; h++) {
        for (let d = 0; d < size; d++) result.data[at++] = cache.data[((slot * heads + h) * maxLength + t) * size + d]!
      }
    }
  })
  return result
}

export function continueSlots(
  table: NdArray,
  before: readonly number[],
  sequences: readonly (readonly [row: number, slot: number, length: number])[],
): NdArray {
  const size = table.shape[1]!
  const result = { shape: table.shape, data: table.data.slice() }
  for (const [row, slot, length] of sequences) {
    for (let t = 0; t < size; t++) {
      result.data[slot * size + t] = t < length ? table.data[before[row]! * size + t]! : slot
    }
  }
  return result
}

export interface DecodeInputs {
  readonly q: NdArray
  readonly cacheK: NdArray
  readonly cacheV: NdArray
  readonly slotTable?: NdArray
  readonly biasTable?: NdArray
}

export function attentionDecode(
  spec: Pick<AttentionSpec, 'scale' | 'causal' | 'bidirectional' | 'maxDistance'>,
  rows: CacheRows,
  { q, cacheK, cacheV, slotTable, biasTable }: DecodeInputs,
  r: Round,
): NdArray {
  const k = gather(cacheK, rows, slotTable)
  const v = gather(cacheV, rows, slotTable)
  const packed = { ...spec, cuQ: offsets(rows.counts), cuK: offsets(rows.lengths) }
  return attention(packed, { q, k, v, ...(biasTable && { biasTable }) }, r)
}
