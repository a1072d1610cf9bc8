import { type Context, differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'
import { sumToShape } from './broadcast.ts'

/** Forgets what the gradients do not need: the shapes are enough, but for factors. */
function rememberShapes(ctx: Context, a: Tensor, b: Tensor | number): void {
  ctx.remember({ shapeA: a.shape, shapeB: typeof b === 'number' ? null : b.shape })
}

function shapesOf(ctx: Context): { shapeA: number[]; shapeB: number[] } {
  return ctx.remembered as { shapeA: number[]; shapeB: number[] }
}

/**
 * a + b of one shape, or of shapes that broadcast (right-aligned; a dimension of 1 stretches); b may be a number.
 *
 * @throws {ShapeError} if the shapes do not broadcast.
 */
export const add = differentiable('add', {
  forward(ctx, a: Tensor, b: Tensor | number) {
    rememberShapes(ctx, a, b)
    return typeof b === 'number' ? native.affine(a, { shift: b }) : native.binary(a, b, { op: 'add' })
  },
  backward(ctx, dY) {
    const { shapeA, shapeB } = shapesOf(ctx)
    return [sumToShape(dY, shapeA), ctx.needs(1) ? sumToShape(dY, shapeB) : null]
  },
})

/** a − b, broadcast as `add` does; b may be a number. */
export const sub = differentiable('sub', {
  forward(ctx, a: Tensor, b: Tensor | number) {
    rememberShapes(ctx, a, b)
    return typeof b === 'number' ? native.affine(a, { shift: -b }) : native.binary(a, b, { op: 'sub' })
  },
  backward(ctx, dY) {
    const { shapeA, shapeB } = shapesOf(ctx)
    return [sumToShape(dY, shapeA), ctx.needs(1) ? native.affine(sumToShape(dY, shapeB), { scale: -1 }) : null]
  },
})

/** a · b element by element, broadcast as `add` does; b may be a number. */
export const mul = differentiable('mul', {
  forward(ctx, a: Tensor, b: Tensor | number) {
    if (typeof b === 'number') {
      ctx.remember({ factor: b })
      return native.affine(a, { scale: b })
    }
    rememberShapes(ctx, a, b)
    ctx.save({ a: ctx.needs(1) ? a : null, b: ctx.needs(0) ? b : null })
    return native.binary(a, b, { op: 'mul' })
  },
  backward(ctx, dY) {
    const { factor } = ctx.remembered as { factor?: number }
    if (factor !== undefined) return [native.affine(dY, { scale: factor }), null]
    const { shapeA, shapeB } = shapesOf(ctx)
    return [
      ctx.needs(0) ? sumToShape(native.binary(dY, ctx.saved.b!, { op: 'mul' }), shapeA) : null,
      ctx.needs(1) ? sumToShape(native.binary(dY, ctx.saved.a!, { op: 'mul' }), shapeB) : null,
    ]
  },
})

/** a / b element by element, broadcast as `add` does; b may be a number, whose reciprocal then multiplies. */
export const div = differentiable('div', {
  forward(ctx, a: Tensor, b: Tensor | number) {
    if (typeof b === 'number') {
      ctx.remember({ factor: 1 / b })
      return native.affine(a, { scale: 1 / b })
    }
    rememberShapes(ctx, a, b)
    ctx.save({ a: ctx.needs(1) ? a : null, b })
    return native.binary(a, b, { op: 'div' })
  },
  backward(ctx, dY) {
    const { factor } = ctx.remembered as { factor?: number }
    if (factor !== undefined) return [native.affine(dY, { scale: factor }), null]
    const { shapeA, shapeB } = shapesOf(ctx)
    const quotient = native.binary(dY, ctx.saved.b!, { op: 'div' })
    const dA = ctx.needs(0) ? sumToShape(quotient, shapeA) : null
    if (!ctx.needs(1)) return [dA, null]
    // −(dY / b) · (a / b): no square of b that could overflow or vanish.
    const ratio = native.binary(ctx.saved.a!, ctx.saved.b!, { op: 'div' })
    const product = sumToShape(native.binary(quotient, ratio, { op: 'mul' }), shapeB)
    return [dA, native.affine(product, { scale: -1 })]
  },
})

/** factor · x. */
export function scale(x: Tensor, factor: number): Tensor {
  return mul(x, factor)
}

/** x + term. */
export function addScalar(x: Tensor, term: number): Tensor {
  return add(x, term)
}
