import { fromFn, type NdArray, type Round, zeros } from './array.ts'

export interface LossRule {
  ignoreIndex?: number
  labelSmoothing?: number
  smoothing?: 'uniform' | 't5x'
  zLoss?: number
  reduction?: 'mean' | 'sum' | 'none' | 'weighted'
}

/** max and log Σ exp(l − max) of a row. */
function logSumExp(l: Float64Array, r: Round): { max: number; logSum: number } {
  const max = Math.max(...l)
  let sum = 0
  for (const x of l) sum = r(sum + r(Math.exp(r(x - max))))
  return { max, logSum: r(Math.log(sum)) }
}

/** The probability that a target gives to the label, and to every other class. */
function target(v: number, { labelSmoothing: e = 0, smoothing = 'uniform' }: LossRule): [number, number] {
  return smoothing === 't5x' ? [1 - e, e / (v - 1)] : [1 - e + e / v, e / v]
}

function rowLoss(l: Float64Array, label: number, rule: LossRule, r: Round): number {
  const { max, logSum } = logSumExp(l, r)
  const [onLabel, other] = target(l.length, rule)
  let loss = 0
  for (let v = 0; v < l.length; v++) {
    const q = v === label ? onLabel : other
    if (q === 0) continue
    loss = r(loss + r(q * r(logSum - r(l[v]! - max))))
    if (rule.smoothing === 't5x') loss = r(loss + r(q * Math.log(q)))
  }
  const lse = r(max + logSum)
  return r(loss + r((rule.zLoss ?? 0) * r(lse * lse)))
}

function rowWeights(labels: NdArray, rule: LossRule, weights: NdArray | null, r: Round): number[] {
  const ignored = rule.ignoreIndex ?? -100
  const kept = Array.from(labels.data, (label, i) => (label === ignored ? 0 : (weights?.data[i] ?? 1)))
  const total = kept.reduce((sum, w) => r(sum + w), 0)
  if (rule.reduction === 'sum' || rule.reduction === 'none') return kept
  return kept.map((w) => (total === 0 ? 0 : r(w / total)))
}

function row(x: NdArray, i: number): Float64Array {
  const v = x.shape[1]!
  return x.data.subarray(i * v, (i + 1) * v)
}

/** loss = Σ w·(Σ q·(lse − l) − H(q) + z·lse²), with H only in the t5x style; lse = log Σ exp(l). */
export function crossEntropy(
  logits: NdArray,
  labels: NdArray,
  rule: LossRule,
  weights: NdArray | null,
  r: Round,
): NdArray {
  const scale = rowWeights(labels, rule, weights, r)
  const rows = fromFn(labels.shape, (i) =>
    scale[i] === 0 ? 0 : r(scale[i]! * rowLoss(row(logits, i), labels.data[i]!, rule, r)),
  )
  if (rule.reduction === 'none') return rows
  return fromFn([], () => rows.data.reduce((sum, x) => r(sum + x), 0))
}

/** dl = w·((1 + 2z·lse)·softmax(l) − q) */
export function crossEntropyGradient(
  logits: NdArray,
  labels: NdArray,
  rule: LossRule,
  weights: NdArray | null,
  dLoss: NdArray,
  r: Round,
): NdArray {
  const scale = rowWeights(labels, rule, weights, r)
  const dLogits = zeros(logits.shape)
  const v = logits.shape[1]!
  labels.data.forEach((label, i) => {
    if (scale[i] === 0) return
    const l = row(logits, i)
    const { max, logSum } = logSumExp(l, r)
    const [onLabel, other] = target(v, rule)
    const g = r(scale[i]! * dLoss.data[rule.reduction === 'none' ? i : 0]!)
    const slope = r(1 + r(2 * (rule.zLoss ?? 0) * r(max + logSum)))
    for (let c = 0; c < v; c++) {
      const p = r(Math.exp(r(r(l[c]! - max) - logSum)))
      dLogits.data[i * v + c] = r(g * r(r(slope * p) - (c === label ? onLabel : other)))
    }
  })
  return dLogits
}

/** logits = x·Wᵀ + bias */
export function linearLogits(x: NdArray, weight: NdArray, bias: NdArray | null, r: Round): NdArray {
  const k = x.shape[1]!
  const v = weight.shape[0]!
  return fromFn([x.shape[0]!, v], (i) => {
    const n = Math.floor(i / v)
    const c = i % v
    let sum = 0
    for (let j = 0; j < k; j++) sum = r(sum + r(x.data[n * k + j]! * weight.data[c * k + j]!))
    return bias ? r(sum + bias.data[c]!) : sum
  })
}

/** dX = G·W, dW = Gᵀ·X, dBias = Σ G over rows, given G = dLogits. */
export function linearLogitsGradient(x: NdArray, weight: NdArray, dLogits: NdArray, r: Round) {
  const [n, k] = x.shape as [number, number]
  const v = weight.shape[0]!
  const gradient = { x: zeros(x.shape), weight: zeros(weight.shape), bias: zeros([v]) }
  const add = (to: NdArray, i: number, term: number) => {
    to.data[i] = r(to.data[i]! + term)
  }
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < v; c++) {
      const g = dLogits.data[i * v + c]!
      add(gradient.bias, c, g)
      for (let j = 0; j < k; j++) {
        add(gradient.x, i * k + j, r(g * weight.data[c * k + j]!))
        add(gradient.weight, c * k + j, r(g * x.data[i * k + j]!))
      }
    }
  }
  return gradient
}
