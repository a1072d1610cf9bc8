import { count, fromFn, type NdArray, type Round, zeros } from './array.ts'

/** y[i] = x[ids[i]]. */
export function gatherRows(x: NdArray, ids: NdArray): NdArray {
  const columns = count(x.shape.slice(1))
  return fromFn(
    [...ids.shape, ...x.shape.slice(1)],
    (i) => x.data[ids.data[Math.floor(i / columns)]! * columns + (i % columns)]!,
  )
}

/** y[r] = Σ of the x[i] with ids[i] = r. */
export function scatterRows(x: NdArray, ids: NdArray, rows: number, r: Round, skip = -1): NdArray {
  const rest = x.shape.slice(ids.shape.length)
  const columns = count(rest)
  const y = zeros([rows, ...rest])
  for (let i = 0; i < x.data.length; i++) {
    const id = ids.data[Math.floor(i / columns)]!
    const at = id * columns + (i % columns)
    if (id !== skip) y.data[at] = r(y.data[at]! + x.data[i]!)
  }
  return y
}

export function embeddingSum(tables: readonly NdArray[], ids: readonly NdArray[], r: Round): NdArray {
  const parts = tables.map((table, i) => gatherRows(table, ids[i]!))
  return parts.reduce((sum, part) => fromFn(sum.shape, (i) => r(sum.data[i]! + part.data[i]!)))
}

/** Where element i of one of the parts lies in the whole. */
function position(i: number, part: readonly number[], whole: readonly number[], axis: number, start: number): number {
  const inner = count(part.slice(axis + 1))
  const outer = Math.floor(i / (inner * part[axis]!))
  return outer * inner * whole[axis]! + start * inner + (i % (inner * part[axis]!))
}

export function concat(parts: readonly NdArray[], axis: number): NdArray {
  const whole = parts[0]!.shape.with(
    axis,
    parts.reduce((size, part) => size + part.shape[axis]!, 0),
  )
  const y = zeros(whole)
  let start = 0
  for (const part of parts) {
    for (const [i, value] of part.data.entries()) y.data[position(i, part.shape, whole, axis, start)] = value
    start += part.shape[axis]!
  }
  return y
}

export function split(x: NdArray, sizes: readonly number[], axis: number): NdArray[] {
  let start = 0
  return sizes.map((size) => {
    const shape = x.shape.with(axis, size)
    const part = fromFn(shape, (i) => x.data[position(i, shape, x.shape, axis, start)]!)
    start += size
    return part
  })
}
