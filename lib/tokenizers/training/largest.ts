import type { Slices } from './slices.ts'

/**
 * @internal Which `count` of the candidates have the largest values; of equal values, the first.
 *
 * @param candidates indices of values, of which none is NaN.
 */
export async function largest(
  candidates: Int32Array,
  values: Float64Array,
  count: number,
  slices: Slices,
): Promise<Int32Array> {
  if (candidates.length <= count) return candidates
  if (count === 0) return new Int32Array(0)
  const limit = await kthLargest(candidates, values, count, slices)
  const above = await filter(candidates, (i) => (values[i] as number) > limit, slices)
  let room = count - above.length
  return filter(candidates, (i) => (values[i] as number) > limit || (values[i] === limit && room-- > 0), slices)
}

/** Hoare's quickselect, with equal values set apart. */
async function kthLargest(candidates: Int32Array, values: Float64Array, k: number, slices: Slices): Promise<number> {
  let [pool, rank] = [candidates, k]
  for (;;) {
    const pivot = values[pool[pool.length >> 1] as number] as number
    const above = await filter(pool, (i) => (values[i] as number) > pivot, slices)
    if (rank <= above.length) {
      pool = above
      continue
    }
    const below = await filter(pool, (i) => (values[i] as number) < pivot, slices)
    if (rank <= pool.length - below.length) return pivot
    rank -= pool.length - below.length
    pool = below
  }
}

/** @internal The indices that a condition holds for, in their order. */
export async function filter(
  indices: Int32Array,
  holds: (index: number) => boolean,
  slices: Slices,
): Promise<Int32Array> {
  const kept = new Int32Array(indices.length)
  let n = 0
  await slices.eachRange(0, indices.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const index = indices[i] as number
      if (holds(index)) kept[n++] = index
    }
  })
  return kept.subarray(0, n)
}
