import { differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'
import { sumToShape } from './broadcast.ts'

/**
 * Sum of two tensors of one shape, or of shapes that broadcast (right-aligned; a dimension of 1 stretches).
 *
 * @throws {ShapeError} if the shapes do not broadcast.
 */
export const add = differentiable('add', {
  forward(ctx, a: Tensor, b: Tensor) {
    ctx.remember({ shapeA: a.shape, shapeB: b.shape })
    return native.binary(a, b, { op: 'add' })
  },
  backward(ctx, dY) {
    const { shapeA, shapeB } = ctx.remembered as {
      shapeA: number[]
      shapeB: number[]
    }
    return [sumToShape(dY, shapeA), sumToShape(dY, shapeB)]
  },
})
