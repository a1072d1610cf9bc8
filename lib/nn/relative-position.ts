import { noGrad } from '../autograd/grad-mode.ts'
import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'

/** How T5 sorts the distances between tokens into buckets. */
export interface RelativePositionRule {
  readonly numBuckets: number
  /** Distances from here on share the last bucket. */
  readonly maxDistance: number
  /** Whether keys before and after the query have buckets of their own. */
  readonly bidirectional: boolean
}

/**
 * Bucket of key position − query position: half of the buckets are single distances, the others grow with the logarithm,
 * which is taken in float32, as the published models were trained with it.
 *
 * @see Raffel et al. 2020, T5, section 2.1. https://arxiv.org/abs/1910.10683
 */
export function relativePositionBucket(relative: number, rule: RelativePositionRule): number {
  const buckets = rule.bidirectional ? Math.floor(rule.numBuckets / 2) : rule.numBuckets
  const base = rule.bidirectional && relative > 0 ? buckets : 0
  const distance = rule.bidirectional ? Math.abs(relative) : Math.max(-relative, 0)
  const exact = Math.floor(buckets / 2)
  if (distance < exact) return base + distance
  if (distance >= rule.maxDistance) return base + buckets - 1
  const { fround, log } = Math
  const ratio = fround(fround(log(fround(distance / exact))) / fround(log(rule.maxDistance / exact)))
  return base + Math.min(buckets - 1, exact + Math.floor(fround(ratio * fround(buckets - exact))))
}

/**
 * The bias that attention adds, held whole: for showing it, since attention itself looks it up in the table.
 *
 * @param table (numBuckets, H).
 * @returns (1, H, queries, keys), without gradient.
 */
export function positionBias(table: Tensor, queries: number, keys: number, rule: RelativePositionRule): Tensor {
  const ids = Int32Array.from({ length: queries * keys }, (_, i) =>
    relativePositionBucket((i % keys) - Math.floor(i / keys), rule),
  )
  return noGrad(() => {
    const rows = ops.gatherRows(table, Tensor.from(ids, { shape: [1, queries, keys] }))
    return ops.contiguous(ops.permute(rows, [0, 3, 1, 2]))
  })
}
