import { differentiable } from '../autograd/differentiable.ts'
import { IndexError, ShapeError } from '../errors.ts'
import { denseStrides, native, shapeText, sizeOf, Tensor } from '../tensor.ts'
import { axisOf } from './reduce.ts'

function isContiguous(x: Tensor): boolean {
  const dense = denseStrides(x.shape)
  return x.shape.every((size, i) => size === 1 || x.strides[i] === dense[i])
}

function dense(x: Tensor): Tensor {
  return isContiguous(x) ? x : native.cast(x, { dtype: x.dtype })
}

function reshaped(x: Tensor, shape: readonly number[]): Tensor {
  const source = dense(x)
  return source.view(shape, denseStrides(shape), source.offset)
}

/** The same elements without gaps, row-major: x itself where it is so already. */
export const contiguous = differentiable('contiguous', {
  forward: (_, x: Tensor) => dense(x),
  backward: (_, dY) => [dY],
})

/**
 * The same elements, row-major, in another shape; a view of x unless x has gaps between its elements.
 *
 * @param shape one size may be −1: whatever is left.
 * @throws {ShapeError} if the number of elements differs.
 */
export const reshape = differentiable('reshape', {
  forward(ctx, x: Tensor, shape: readonly number[]) {
    const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1)
    const full = shape.map((size) => (size === -1 && known > 0 ? x.size / known : size))
    const valid = full.every((size) => Number.isInteger(size) && size >= 0)
    if (!valid || sizeOf(full) !== x.size) {
      throw new ShapeError(`reshape: expected a shape of ${x.size} elements, got ${shapeText(shape)}`)
    }
    ctx.remember({ shape: x.shape })
    return reshaped(x, full)
  },
  backward(ctx, dY) {
    return [reshaped(dY, ctx.remembered.shape as number[]), null]
  },
})

function permuted(x: Tensor, axes: readonly number[]): Tensor {
  return x.view(
    axes.map((axis) => x.shape[axis] as number),
    axes.map((axis) => x.strides[axis] as number),
    x.offset,
  )
}

/**
 * A view whose dimension i is x's dimension axes[i].
 *
 * @throws {ShapeError} if `axes` is not a permutation of x's dimensions.
 */
export const permute = differentiable('permute', {
  forward(ctx, x: Tensor, axes: readonly number[]) {
    const order = axes.map((axis) => axisOf('permute', axis, x.shape))
    if (order.length !== x.shape.length || new Set(order).size !== order.length) {
      throw new ShapeError(`permute: expected each axis of ${shapeText(x.shape)} once, got ${shapeText(axes)}`)
    }
    ctx.remember({ inverse: order.map((_, i) => order.indexOf(i)) })
    return permuted(x, order)
  },
  backward(ctx, dY) {
    return [permuted(dY, ctx.remembered.inverse as number[]), null]
  },
})

/** A view with two dimensions exchanged. */
export function transpose(x: Tensor, a: number, b: number): Tensor {
  const axes = x.shape.map((_, i) => i)
  const i = axisOf('transpose', a, x.shape)
  const j = axisOf('transpose', b, x.shape)
  axes[i] = j
  axes[j] = i
  return permute(x, axes)
}

function window(x: Tensor, axis: number, start: number, end: number): Tensor {
  return x.view(x.shape.with(axis, end - start), x.strides, x.offset + start * (x.strides[axis] as number))
}

/**
 * A view of the indices start … end − 1 of one dimension.
 *
 * @param end @default the dimension's size
 * @throws {IndexError} unless 0 ≤ start ≤ end ≤ size.
 */
export const slice = differentiable('slice', {
  forward(ctx, x: Tensor, axis: number, start: number, end?: number) {
    const along = axisOf('slice', axis, x.shape)
    const size = x.shape[along] as number
    const stop = end ?? size
    if (!(Number.isInteger(start) && Number.isInteger(stop) && start >= 0 && start <= stop && stop <= size)) {
      throw new IndexError(`slice: expected 0 <= start <= end <= ${size}, got ${start} and ${stop}`)
    }
    ctx.remember({ shape: x.shape, axis: along, start, stop })
    return window(x, along, start, stop)
  },
  backward(ctx, dY) {
    const { shape, axis, start, stop } = ctx.remembered as {
      shape: number[]
      axis: number
      start: number
      stop: number
    }
    const dX = Tensor.zeros(shape)
    native.accumulate(window(dX, axis, start, stop), dY)
    return [dX, null, null, null]
  },
})

/**
 * A view of one index of a dimension, which goes away.
 *
 * @throws {IndexError} if `index` is not one of the dimension's.
 */
export function select(x: Tensor, axis: number, index: number): Tensor {
  const along = axisOf('select', axis, x.shape)
  if (!(Number.isInteger(index) && index >= 0 && index < (x.shape[along] as number))) {
    throw new IndexError(`select: expected an index below ${x.shape[along]}, got ${index}`)
  }
  return dropAxis(slice(x, along, index, index + 1), along)
}

/** A view without a dimension of 1. */
const dropAxis = differentiable('select', {
  forward(ctx, x: Tensor, axis: number) {
    ctx.remember({ axis })
    return x.view(x.shape.toSpliced(axis, 1), x.strides.toSpliced(axis, 1), x.offset)
  },
  backward(ctx, dY) {
    const axis = ctx.remembered.axis as number
    return [dY.view(dY.shape.toSpliced(axis, 0, 1), dY.strides.toSpliced(axis, 0, 0), dY.offset), null]
  },
})
