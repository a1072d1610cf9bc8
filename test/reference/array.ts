// What references work on: float64 values with a shape, plain loops, nothing shared with the library.

export interface NdArray {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

/**
 * Rounding after every arithmetic operation of a reference: the identity for the float64 truth, Math.fround for "a plain
 * computation in float32", whose error sets the tolerance.
 */
export type Round = (x: number) => number

export const exact: Round = (x) => x
export const float32: Round = Math.fround

export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

export function zeros(shape: readonly number[]): NdArray {
  return { shape, data: new Float64Array(count(shape)) }
}

export function fromFn(shape: readonly number[], fn: (i: number) => number): NdArray {
  return {
    shape,
    data: Float64Array.from({ length: count(shape) }, (_, i) => fn(i)),
  }
}

/** Multi-index of a flat row-major index. */
export function unravel(index: number, shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length)
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d] as number
    result[d] = index % size
    index = Math.floor(index / size)
  }
  return result
}

export function at(array: NdArray, ...index: number[]): number {
  return array.data[flat(array.shape, index)] as number
}

export function flat(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((offset, i, d) => offset * (shape[d] as number) + i, 0)
}
