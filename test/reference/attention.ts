// softmax(scale·QKᵀ + bias)·V and its gradients, row by row from the formulas.
import { type NdArray, type Round, zeros } from './array.ts'
import { type DropoutAt, dropoutFactor } from './philox.ts'

export interface AttentionSpec {
  /** Offsets of the sequences, B + 1 each. */
  readonly cuQ: readonly number[]
  readonly cuK: readonly number[]
  readonly positionsQ?: readonly number[]
  readonly positionsK?: readonly number[]
  readonly scale: number
  readonly causal: boolean
  readonly bidirectional: boolean
  readonly maxDistance: number
  readonly dropout?: DropoutAt
}

export interface AttentionInputs {
  readonly q: NdArray
  readonly k: NdArray
  readonly v: NdArray
  readonly biasTable?: NdArray
  readonly biasDense?: NdArray
}

/** T5's bucket of key position − query position: half the buckets for single distances, the rest on a log scale. */
export function bucketOf(relative: number, numBuckets: number, bidirectional: boolean, maxDistance: number): number {
  const buckets = bidirectional ? Math.floor(numBuckets / 2) : numBuckets
  const base = bidirectional && relative > 0 ? buckets : 0
  const distance = bidirectional ? Math.abs(relative) : Math.max(-relative, 0)
  const exact = Math.floor(buckets / 2)
  if (distance < exact) return base + distance
  const octaves = Math.log(distance / exact) / Math.log(maxDistance / exact)
  // The logarithm of an exact power may come out a hair below it.
  return base + Math.min(buckets - 1, exact + Math.floor(octaves * (buckets - exact) + 1e-9))
}

/** One query row of one head: the keys it sees, their probabilities and dropout factors, and the biases' places. */
interface Row {
  readonly h: number
  /** Packed rows. */
  readonly query: number
  readonly keys: number[]
  readonly p: number[]
  readonly factor: number[]
  readonly table: number[]
  readonly dense: number[]
}

function* rowsOf(spec: AttentionSpec, inputs: AttentionInputs, r: Round): Generator<Row> {
  const { q, k, biasTable, biasDense } = inputs
  const [nq, heads, size] = q.shape as [number, number, number]
  for (let b = 0; b + 1 < spec.cuQ.length; b++) {
    const [q0, q1, k0, k1] = [spec.cuQ[b]!, spec.cuQ[b + 1]!, spec.cuK[b]!, spec.cuK[b + 1]!]
    const offset = spec.positionsQ ? 0 : k1 - k0 - (q1 - q0)
    for (let h = 0; h < heads; h++) {
      for (let i = q0; i < q1; i++) {
        const row: Row = { h, query: i, keys: [], p: [], factor: [], table: [], dense: [] }
        const scores: number[] = []
        for (let j = k0; j < k1; j++) {
          const position = spec.positionsK?.[j] ?? j - k0
          const relative = position - (spec.positionsQ?.[i] ?? i - q0) - offset
          if (spec.causal && relative > 0) continue
          let score = 0
          for (let d = 0; d < size; d++) {
            score = r(score + r(q.data[(i * heads + h) * size + d]! * k.data[(j * heads + h) * size + d]!))
          }
          score = r(spec.scale * score)
          if (biasTable) {
            const bucket = bucketOf(relative, biasTable.shape[0]!, spec.bidirectional, spec.maxDistance)
            row.table.push(bucket * heads + h)
            score = r(score + biasTable.data[row.table.at(-1)!]!)
          }
          if (biasDense) {
            const [batches, , rows, columns] = biasDense.shape as [number, number, number, number]
            row.dense.push((((batches === 1 ? 0 : b) * heads + h) * rows + i - q0) * columns + j - k0)
            score = r(score + biasDense.data[row.dense.at(-1)!]!)
          }
          row.keys.push(j)
          scores.push(score)
          const index = (h * nq + i) * 2 ** 20 + position
          row.factor.push(spec.dropout ? dropoutFactor(spec.dropout, index) : 1)
        }
        softmax(scores, row.p, r)
        yield row
      }
    }
  }
}

function softmax(scores: readonly number[], p: number[], r: Round): void {
  const max = Math.max(...scores)
  const e = scores.map((s) => (max === -Infinity ? 0 : r(Math.exp(r(s - max)))))
  const sum = e.reduce((total, x) => r(total + x), 0)
  for (const x of e) p.push(sum === 0 ? 0 : r(x / sum))
}

export function attention(spec: AttentionSpec, inputs: AttentionInputs, r: Round): NdArray {
  const [, heads, size] = inputs.q.shape as [number, number, number]
  const o = zeros(inputs.q.shape)
  for (const { h, query, keys, p, factor } of rowsOf(spec, inputs, r)) {
    for (let d = 0; d < size; d++) {
      let sum = 0
      keys.forEach((j, n) => {
        sum = r(sum + r(r(p[n]! * factor[n]!) * inputs.v.data[(j * heads + h) * size + d]!))
      })
      o.data[(query * heads + h) * size + d] = sum
    }
  }
  return o
}

/** dP = (dO·Vᵀ)∘Z; dS = P∘(dP − Σ P·dP), which is the gradient of each bias; the rest by the product rule. */
export function attentionGradient(
  spec: AttentionSpec,
  inputs: AttentionInputs,
  dO: NdArray,
  r: Round,
): Record<string, NdArray> {
  const { q, k, v, biasTable, biasDense } = inputs
  const [, heads, size] = q.shape as [number, number, number]
  const dQ = zeros(q.shape)
  const dK = zeros(k.shape)
  const dV = zeros(v.shape)
  const dTable = zeros(biasTable?.shape ?? [0])
  const dDense = zeros(biasDense?.shape ?? [0])
  const add = (to: NdArray, at: number, x: number) => {
    to.data[at] = r(to.data[at]! + x)
  }
  for (const { h, query, keys, p, factor, table, dense } of rowsOf(spec, inputs, r)) {
    const rowQ = (query * heads + h) * size
    const dP = keys.map((j, n) => {
      let sum = 0
      for (let d = 0; d < size; d++) sum = r(sum + r(dO.data[rowQ + d]! * v.data[(j * heads + h) * size + d]!))
      return r(sum * factor[n]!)
    })
    const mean = dP.reduce((sum, x, n) => r(sum + r(p[n]! * x)), 0)
    keys.forEach((j, n) => {
      const rowK = (j * heads + h) * size
      const dS = r(p[n]! * r(dP[n]! - mean))
      if (biasTable) add(dTable, table[n]!, dS)
      if (biasDense) add(dDense, dense[n]!, dS)
      const scaled = r(spec.scale * dS)
      const kept = r(p[n]! * factor[n]!)
      for (let d = 0; d < size; d++) {
        add(dQ, rowQ + d, r(scaled * k.data[rowK + d]!))
        add(dK, rowK + d, r(scaled * q.data[rowQ + d]!))
        add(dV, rowK + d, r(kept * dO.data[rowQ + d]!))
      }
    })
  }
  return { q: dQ, k: dK, v: dV, biasTable: dTable, biasDense: dDense }
}
