// One optimiser step of one tensor, from the update rules; states are replaced in the object given.
import { count, fromFn, type NdArray, type Round, unravel, zeros } from './array.ts'

export type States = Record<string, NdArray>

function map(shape: readonly number[], r: Round, fn: (i: number) => number): NdArray {
  return fromFn(shape, (i) => r(fn(i)))
}

export interface SgdRule {
  lr: number
  weightDecay: number
  momentum: number
  nesterov: boolean
}

/** v = μv + g; p − lr·v or p − lr(g + μv). */
export function sgd(p: NdArray, grad: NdArray, state: States, o: SgdRule, r: Round): NdArray {
  const g = map(p.shape, r, (i) => grad.data[i]! + r(o.weightDecay * p.data[i]!))
  const old = state.velocities ?? zeros(p.shape)
  const v = map(p.shape, r, (i) => r(o.momentum * old.data[i]!) + g.data[i]!)
  state.velocities = v
  return map(p.shape, r, (i) => {
    const step = o.nesterov ? r(g.data[i]! + r(o.momentum * v.data[i]!)) : v.data[i]!
    return p.data[i]! - r(o.lr * step)
  })
}

export interface AdagradRule {
  lr: number
  weightDecay: number
  lrDecay: number
  eps: number
}

/** s += g²; p − lr/(1 + (t−1)d)·g/(√s + eps). */
export function adagrad(p: NdArray, grad: NdArray, state: States, t: number, o: AdagradRule, r: Round): NdArray {
  const g = map(p.shape, r, (i) => grad.data[i]! + r(o.weightDecay * p.data[i]!))
  const old = state.sums ?? zeros(p.shape)
  const s = map(p.shape, r, (i) => old.data[i]! + r(g.data[i]! * g.data[i]!))
  state.sums = s
  const lr = r(o.lr / (1 + (t - 1) * o.lrDecay))
  return map(p.shape, r, (i) => p.data[i]! - r(r(lr * g.data[i]!) / r(r(Math.sqrt(s.data[i]!)) + o.eps)))
}

export interface AdamwRule {
  lr: number
  weightDecay: number
  beta1: number
  beta2: number
  eps: number
  biasCorrection: boolean
  rmsScale: boolean
}

export function rms(x: NdArray, r: Round): number {
  let sum = 0
  for (const v of x.data) sum = r(sum + r(v * v))
  return r(Math.sqrt(r(sum / Math.max(x.data.length, 1))))
}

/** Moments as exponential averages; p(1 − lr·wd) − lr·scale·m̂/(√v̂ + eps). */
export function adamw(p: NdArray, g: NdArray, state: States, t: number, o: AdamwRule, r: Round): NdArray {
  const { means = zeros(p.shape), squares = zeros(p.shape) } = state
  const m = map(p.shape, r, (i) => r(o.beta1 * means.data[i]!) + r(r(1 - o.beta1) * g.data[i]!))
  const v = map(p.shape, r, (i) => r(o.beta2 * squares.data[i]!) + r(r(1 - o.beta2) * r(g.data[i]! * g.data[i]!)))
  state.means = m
  state.squares = v
  const c1 = o.biasCorrection ? 1 - o.beta1 ** t : 1
  const c2 = o.biasCorrection ? 1 - o.beta2 ** t : 1
  const lr = o.rmsScale ? r(o.lr * Math.max(1e-3, rms(p, r))) : o.lr
  return map(p.shape, r, (i) => {
    const denominator = r(r(r(Math.sqrt(v.data[i]!)) / Math.sqrt(c2)) + o.eps)
    return r(p.data[i]! * r(1 - o.lr * o.weightDecay)) - r(r(lr * r(m.data[i]! / c1)) / denominator)
  })
}

export interface AdafactorRule {
  lr: number
  weightDecay: number
  factoring: 'lastTwo' | 'largestTwo'
  minDimSizeToFactor: number
  relativeStep: boolean
  warmupInit: boolean
  scaleParameter: boolean
  decayRate: number
  eps1: number
  eps2: number
  clipThreshold: number
  beta1: number
}

/** The two axes whose means are kept, or null. Of equally large dimensions the later ones. */
export function factoredAxes(
  shape: readonly number[],
  o: Pick<AdafactorRule, 'factoring' | 'minDimSizeToFactor'>,
): [number, number] | null {
  if (shape.length < 2 || count(shape) === 0) return null
  let axes = shape.map((_, i) => i)
  if (o.factoring === 'largestTwo') axes = axes.sort((a, b) => shape[a]! - shape[b]! || a - b)
  const pair = axes.slice(-2).sort((a, b) => a - b) as [number, number]
  return pair.some((axis) => shape[axis]! < o.minDimSizeToFactor) ? null : pair
}

/** Mean over one axis, which goes. */
function meanOver(x: NdArray, axis: number, r: Round): NdArray {
  const result = zeros(x.shape.filter((_, i) => i !== axis))
  for (let i = 0; i < x.data.length; i++) {
    const j = indexWithout(i, x.shape, axis)
    result.data[j] = r(result.data[j]! + x.data[i]!)
  }
  return map(result.shape, r, (i) => result.data[i]! / x.shape[axis]!)
}

function indexWithout(i: number, shape: readonly number[], axis: number): number {
  return unravel(i, shape).reduce((flat, index, d) => (d === axis ? flat : flat * shape[d]! + index), 0)
}

export function adafactor(p: NdArray, g: NdArray, state: States, t: number, o: AdafactorRule, r: Round): NdArray {
  const beta2 = r(1 - t ** o.decayRate)
  const s = map(p.shape, r, (i) => r(g.data[i]! * g.data[i]!) + o.eps1)
  const average = (old: NdArray | undefined, x: NdArray) =>
    map(x.shape, r, (i) => r(beta2 * (old?.data[i] ?? 0)) + r(r(1 - beta2) * x.data[i]!))
  const axes = factoredAxes(p.shape, o)
  let u: NdArray
  if (axes) {
    const [rowAxis, columnAxis] = axes
    const rows = average(state.rows, meanOver(s, columnAxis, r))
    const columns = average(state.columns, meanOver(s, rowAxis, r))
    state.rows = rows
    state.columns = columns
    // The row axis comes first of the two, so it has the same number in the shape without the other.
    const meanRow = meanOver(rows, rowAxis, r)
    u = map(p.shape, r, (i) => {
      const line = indexWithout(i, p.shape, columnAxis)
      const ratio = r(rows.data[line]! / meanRow.data[indexWithout(line, rows.shape, rowAxis)]!)
      return r(g.data[i]! / r(Math.sqrt(ratio))) / r(Math.sqrt(columns.data[indexWithout(i, p.shape, rowAxis)]!))
    })
  } else {
    const squares = average(state.squares, s)
    state.squares = squares
    u = map(p.shape, r, (i) => g.data[i]! / r(Math.sqrt(squares.data[i]!)))
  }
  const rho = o.relativeStep ? Math.min(o.warmupInit ? 1e-6 * t : 1e-2, 1 / Math.sqrt(t)) : o.lr
  const alpha = o.scaleParameter ? r(rho * Math.max(o.eps2, rms(p, r))) : rho
  const clip = Math.max(1, r(rms(u, r) / o.clipThreshold))
  let update = map(p.shape, r, (i) => r(u.data[i]! / clip) * alpha)
  if (o.beta1 > 0) {
    const old = state.means ?? zeros(p.shape)
    update = map(p.shape, r, (i) => r(o.beta1 * old.data[i]!) + r(r(1 - o.beta1) * update.data[i]!))
    state.means = update
  }
  return map(p.shape, r, (i) => r(p.data[i]! - r(r(o.weightDecay * alpha) * p.data[i]!)) - update.data[i]!)
}

/** √ Σ g² over all tensors. */
export function globalNorm(grads: readonly NdArray[], r: Round): number {
  let sum = 0
  for (const g of grads) for (const v of g.data) sum = r(sum + r(v * v))
  return r(Math.sqrt(sum))
}
