import { added, type Context, differentiable } from '../autograd/differentiable.ts'
import { ShapeError } from '../errors.ts'
import { native, shapeText, Tensor } from '../tensor.ts'
import { axisOf } from './reduce.ts'

export interface EmbeddingOptions {
  /** An id whose row gets no gradient; −1: none. @default -1 */
  paddingIdx?: number
}

/** The gradient of a table whose rows were read: few of them, so that adding these to the others costs less than all of it. */
function gradientOfTable(ctx: Context, [index, item]: readonly [index: number, item: number], rows: RowsOfTable) {
  const { dY, ids, count, skip = -1 } = rows
  const sum = ctx.sumOf(index, item)
  if (!sum) return native.scatterRows(dY, ids, { rows: count, skip })
  native.addRows(sum, dY, ids, { skip })
  return added
}

interface RowsOfTable {
  readonly dY: Tensor
  readonly ids: Tensor
  /** Rows of the table. */
  readonly count: number
  readonly skip?: number
}

/**
 * Rows of a table: y[i] = table[ids[i]].
 *
 * @param table (V, E) float.
 * @param ids int32 of any shape.
 * @returns (…ids, E), the table's dtype. The table's gradient is dense, and sums repeated ids in their order.
 * @throws {IndexError} at the next wait, if an id is not in [0, V).
 */
export const embedding = differentiable('embedding', {
  forward(ctx, table: Tensor, ids: Tensor, options: EmbeddingOptions = {}) {
    const y = native.embedding([table], [ids])
    ctx.save({ ids })
    ctx.remember({ rows: table.shape[0], skip: options.paddingIdx ?? -1 })
    return y
  },
  backward(ctx, dY) {
    const { rows, skip } = ctx.remembered as { rows: number; skip: number }
    return [gradientOfTable(ctx, [0, 0], { dY, ids: ctx.saved.ids!, count: rows, skip }), null, null]
  },
})

/**
 * Sum of one row from each of several tables, in one pass: word + position + token type.
 *
 * @param tables each (V, E) float, with a V of its own.
 * @param ids as many, int32 of one shape.
 * @param options `paddingIdx` applies to the first table.
 * @returns (…ids, E), the first table's dtype.
 * @throws {IndexError} at the next wait, if an id is outside its table.
 */
export const embeddingSum = differentiable('embeddingSum', {
  forward(ctx, tables: readonly Tensor[], ids: readonly Tensor[], options: EmbeddingOptions = {}) {
    const y = native.embedding(tables, ids)
    ctx.save(Object.fromEntries(ids.map((tensor, i) => [`ids${i}`, tensor])))
    ctx.remember({
      rows: tables.map((table) => table.shape[0]),
      wanted: tables.map((table) => table.requiresGrad),
      skip: options.paddingIdx ?? -1,
    })
    return y
  },
  backward(ctx, dY) {
    const { rows, wanted, skip } = ctx.remembered as { rows: number[]; wanted: boolean[]; skip: number }
    const gradients = rows.map((count, i) => {
      if (!wanted[i]) return null
      return gradientOfTable(ctx, [0, i], { dY, ids: ctx.saved[`ids${i}`]!, count, skip: i === 0 ? skip : -1 })
    })
    return [gradients, null, null]
  },
})

/**
 * Chosen rows: y[i] = x[indices[i]].
 *
 * @param x (n, …), any dtype.
 * @param indices int32 of any shape.
 * @returns (…indices, …).
 * @throws {IndexError} at the next wait, if an index is not in [0, n).
 */
export const gatherRows = differentiable('gatherRows', {
  forward(ctx, x: Tensor, indices: Tensor) {
    const y = native.gatherRows(x, indices)
    ctx.save({ indices })
    ctx.remember({ rows: x.shape[0] })
    return y
  },
  backward(ctx, dY) {
    return [gradientOfTable(ctx, [0, 0], { dY, ids: ctx.saved.indices!, count: ctx.remembered.rows as number }), null]
  },
})

/**
 * Rows put into zeros: y[r] = Σ x[i] over the i with indices[i] = r, added in the order of i.
 *
 * @param x (…indices, …) float.
 * @param indices int32 of any shape.
 * @param rows first dimension of the result.
 * @throws {IndexError} at the next wait, if an index is not in [0, rows).
 */
export const scatterRows = differentiable('scatterRows', {
  forward(ctx, x: Tensor, indices: Tensor, rows: number) {
    ctx.save({ indices })
    return native.scatterRows(x, indices, { rows })
  },
  backward(ctx, dY) {
    return [native.gatherRows(dY, ctx.saved.indices!), null, null]
  },
})

/** Views of pieces of `sizes` that follow each other along `axis`. */
function pieces(x: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  let start = 0
  return sizes.map((size) => {
    const offset = x.offset + start * (x.strides[axis] as number)
    start += size
    return x.view(x.shape.with(axis, size), x.strides, offset)
  })
}

/**
 * Tensors one after the other along `axis`; all else of their shapes is equal.
 *
 * @param axis negative ones count from the last. @default 0
 * @throws {ShapeError} if the shapes do not fit, {DTypeError} if the dtypes differ.
 */
export const concat = differentiable('concat', {
  forward(ctx, tensors: readonly Tensor[], axis: number = 0) {
    const along = axisOf('concat', axis, tensors[0]?.shape ?? [])
    ctx.remember({ sizes: tensors.map((tensor) => tensor.shape[along]), axis: along })
    return native.concat(tensors, { axis: along })
  },
  backward(ctx, dY) {
    const { sizes, axis } = ctx.remembered as { sizes: number[]; axis: number }
    return [pieces(dY, sizes, axis), null]
  },
})

/**
 * The inverse of concat: views of x, without a copy.
 *
 * @param sizes along `axis`; their sum is its size.
 * @param axis negative ones count from the last. @default 0
 * @throws {ShapeError} if the sizes do not add up.
 */
export const split = differentiable('split', {
  forward(ctx, x: Tensor, sizes: readonly number[], axis: number = 0): Tensor[] {
    const along = axisOf('split', axis, x.shape)
    const valid = sizes.every((size) => Number.isInteger(size) && size >= 0)
    if (!valid || sizes.reduce((a, b) => a + b, 0) !== x.shape[along]) {
      throw new ShapeError(`split: expected sizes that add up to ${x.shape[along]}, got ${shapeText(sizes)}`)
    }
    ctx.remember({ shape: x.shape, sizes, axis: along })
    return pieces(x, sizes, along)
  },
  backward(ctx, ...gradients) {
    const { shape, sizes, axis } = ctx.remembered as { shape: number[]; sizes: number[]; axis: number }
    const dtype = gradients.find(Boolean)?.dtype ?? 'float32'
    const parts = sizes.map((size, i) => gradients[i] ?? Tensor.zeros(shape.with(axis, size), { dtype }))
    return [native.concat(parts, { axis }), null, null]
  },
})
