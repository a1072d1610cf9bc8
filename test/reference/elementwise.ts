import { count, type NdArray, type Round, unravel, zeros } from './array.ts'

export type BinaryOp = 'add' | 'sub' | 'mul' | 'div'

export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const da = a[i - rank + a.length] ?? 1
    const db = b[i - rank + b.length] ?? 1
    return da === 1 ? db : da
  })
}

/** Flat index into an array of `shape` of the element that broadcasting puts at `index`. */
export function broadcastIndex(shape: readonly number[], index: readonly number[]): number {
  const skip = index.length - shape.length
  return shape.reduce((offset, size, d) => offset * size + (size === 1 ? 0 : (index[d + skip] as number)), 0)
}

/** y = a <op> b. */
export function binary(op: BinaryOp, a: NdArray, b: NdArray, r: Round): NdArray {
  const y = zeros(broadcastShape(a.shape, b.shape))
  for (let i = 0; i < y.data.length; i++) {
    const index = unravel(i, y.shape)
    const x = a.data[broadcastIndex(a.shape, index)] as number
    const z = b.data[broadcastIndex(b.shape, index)] as number
    y.data[i] = r(op === 'add' ? x + z : op === 'sub' ? x - z : op === 'mul' ? x * z : x / z)
  }
  return y
}

/** d(x/z) = dy/z, −dy·x/z²; the other rules follow from linearity. Gradients of stretched dimensions are sums. */
export function binaryGradient(op: BinaryOp, a: NdArray, b: NdArray, dY: NdArray, r: Round): [NdArray, NdArray] {
  const dA = zeros(a.shape)
  const dB = zeros(b.shape)
  for (let i = 0; i < count(dY.shape); i++) {
    const index = unravel(i, dY.shape)
    const ia = broadcastIndex(a.shape, index)
    const ib = broadcastIndex(b.shape, index)
    const x = a.data[ia] as number
    const z = b.data[ib] as number
    const d = dY.data[i] as number
    const forA = op === 'mul' ? r(d * z) : op === 'div' ? r(d / z) : d
    const forB = op === 'mul' ? r(d * x) : op === 'div' ? r(-r(d * x) / r(z * z)) : op === 'sub' ? -d : d
    dA.data[ia] = r((dA.data[ia] as number) + forA)
    dB.data[ib] = r((dB.data[ib] as number) + forB)
  }
  return [dA, dB]
}
