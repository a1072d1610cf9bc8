import { count, fromFn, type NdArray, type Round, unravel, zeros } from './array.ts'

export type ReduceKind = 'sum' | 'mean' | 'max'

/** Flat index in the result of each element of x. */
function targets(shape: readonly number[], axes: readonly number[]): number[] {
  return Array.from({ length: count(shape) }, (_, i) =>
    unravel(i, shape).reduce((at, index, d) => (axes.includes(d) ? at : at * shape[d]! + index), 0),
  )
}

export function reduce(kind: ReduceKind, x: NdArray, axes: readonly number[], keepDims: boolean, r: Round): NdArray {
  const y = zeros(x.shape.flatMap((size, d) => (axes.includes(d) ? (keepDims ? [1] : []) : [size])))
  if (kind === 'max') y.data.fill(-Infinity)
  targets(x.shape, axes).forEach((to, i) => {
    const [before, value] = [y.data[to]!, x.data[i]!]
    y.data[to] = kind === 'max' ? Math.max(before, value) : r(before + value)
  })
  if (kind !== 'mean') return y
  return fromFn(y.shape, (i) => r(y.data[i]! / (x.data.length / y.data.length)))
}

/** max: to the first maximum, row-major. */
export function reduceGradient(kind: ReduceKind, x: NdArray, axes: readonly number[], dY: NdArray, r: Round): NdArray {
  const dX = zeros(x.shape)
  const max = reduce(kind, x, axes, false, r)
  const given = new Set<number>()
  targets(x.shape, axes).forEach((from, i) => {
    if (kind !== 'max') {
      dX.data[i] = kind === 'mean' ? r(dY.data[from]! / (x.data.length / dY.data.length)) : dY.data[from]!
    } else if (x.data[i] === max.data[from] && !given.has(from)) {
      given.add(from)
      dX.data[i] = dY.data[from]!
    }
  })
  return dX
}
