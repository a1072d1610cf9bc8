import { type Context, differentiable } from '../autograd/differentiable.ts'
import { ShapeError } from '../errors.ts'
import { native, shapeText, type Tensor } from '../tensor.ts'

export interface ReduceOptions {
  /** Dimensions to reduce; negative ones count from the last. @default all */
  axes?: readonly number[]
  /** Keep reduced dimensions as 1. @default false */
  keepDims?: boolean
}

/** @internal `axis` as an index from 0; negative ones count from the last. */
export function axisOf(op: string, axis: number, shape: readonly number[]): number {
  const index = axis < 0 ? axis + shape.length : axis
  if (Number.isInteger(index) && index >= 0 && index < shape.length) return index
  throw new ShapeError(`${op}: expected an axis of ${shapeText(shape)}, got ${axis}`)
}

function maskOf(op: string, x: Tensor, axes: readonly number[] | undefined): number {
  const list = axes?.map((axis) => axisOf(op, axis, x.shape)) ?? x.shape.map((_, i) => i)
  return list.reduce((mask, axis) => mask | (1 << axis), 0)
}

interface Reduced {
  shape: readonly number[]
  axes: number
}

/** Each element of the gradient, seen at every place that it was reduced from. */
function spread(dY: Tensor, { shape, axes }: Reduced): Tensor {
  const kept = shape.map((size, i) => ((axes >> i) & 1 ? 1 : size))
  const from = dY.strides.length === shape.length ? [...dY.strides] : insertReduced(dY.strides, shape, axes)
  const strides = kept.map((_, i) => ((axes >> i) & 1 ? 0 : (from[i] as number)))
  return dY.view(shape, strides, dY.offset)
}

function insertReduced(strides: readonly number[], shape: readonly number[], axes: number): number[] {
  let next = 0
  return shape.map((_, i) => ((axes >> i) & 1 ? 0 : (strides[next++] as number)))
}

function forward(ctx: Context, kind: 'sum' | 'mean' | 'max', x: Tensor, options: ReduceOptions): Tensor {
  const axes = maskOf(kind, x, options.axes)
  ctx.remember({ shape: x.shape, axes })
  return native.reduce(x, { kind, axes, keepDims: options.keepDims ?? false })
}

function reduced(ctx: Context): Reduced {
  return ctx.remembered as unknown as Reduced
}

/**
 * Sum over some dimensions, or all.
 *
 * @throws {ShapeError} if an axis is not one of x's.
 */
export const sum = differentiable('sum', {
  forward(ctx, x: Tensor, options: ReduceOptions = {}) {
    return forward(ctx, 'sum', x, options)
  },
  backward(ctx, dY) {
    return [spread(dY, reduced(ctx)), null]
  },
})

/**
 * Mean over some dimensions, or all.
 *
 * @throws {ShapeError} if an axis is not one of x's, or there is nothing to average.
 */
export const mean = differentiable('mean', {
  forward(ctx, x: Tensor, options: ReduceOptions = {}) {
    return forward(ctx, 'mean', x, options)
  },
  backward(ctx, dY) {
    const { shape, axes } = reduced(ctx)
    const count = shape.reduce((product, size, i) => ((axes >> i) & 1 ? product * size : product), 1)
    return [spread(native.affine(dY, { scale: 1 / count }), { shape, axes }), null]
  },
})

/**
 * Maximum over some dimensions, or all. Of equal maxima the first, row-major, gets the gradient; a NaN wins over numbers.
 *
 * @throws {ShapeError} if an axis is not one of x's, or there is nothing to choose from.
 */
export const max = differentiable('max', {
  forward(ctx, x: Tensor, options: ReduceOptions = {}) {
    const y = forward(ctx, 'max', x, options)
    ctx.save({ x, y })
    return y
  },
  backward(ctx, dY) {
    return [native.maxBwd(ctx.saved.x!, ctx.saved.y!, dY, { axes: reduced(ctx).axes }), null]
  },
})
