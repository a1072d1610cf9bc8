import { differentiable } from '../autograd/differentiable.ts'
import type { NativeOps } from '../native/schema.generated.ts'
import { native, type Tensor } from '../tensor.ts'

type UnaryKind = Parameters<NativeOps<Tensor>['unary']>[1]['kind']

/** Of these the derivative is simpler in the result than in the argument. */
const derivativeOfResult: ReadonlySet<UnaryKind> = new Set(['sqrt', 'rsqrt', 'exp', 'tanh', 'sigmoid'])

function unary(kind: UnaryKind): (x: Tensor) => Tensor {
  return differentiable(kind, {
    forward(ctx, x: Tensor) {
      const y = native.unary(x, { kind })
      ctx.save({ at: derivativeOfResult.has(kind) ? y : x })
      return y
    },
    backward(ctx, dY) {
      return [native.unaryBwd(ctx.saved.at!, dY, { kind })]
    },
  })
}

/** −x. */
export const neg = unary('neg')
/** |x|; its gradient at 0 is 0. */
export const abs = unary('abs')
/** x². */
export const square = unary('square')
/** √x; NaN below 0. */
export const sqrt = unary('sqrt')
/** 1/√x. */
export const rsqrt = unary('rsqrt')
/** e^x. */
export const exp = unary('exp')
/** Natural logarithm; −∞ at 0, NaN below. */
export const log = unary('log')
/** Hyperbolic tangent. */
export const tanh = unary('tanh')
/** 1/(1 + e^−x). */
export const sigmoid = unary('sigmoid')
/** max(x, 0); its gradient at 0 is 0. */
export const relu = unary('relu')
/**
 * x·Φ(x) with Φ the normal distribution, by the error function: ELECTRA's GELU.
 *
 * @see Hendrycks and Gimpel 2016, Gaussian Error Linear Units. https://arxiv.org/abs/1606.08415
 */
export const geluErf = unary('geluErf')
/** GELU in its tanh form, ½x(1 + tanh(√(2/π)(x + 0.044715x³))): T5 1.1's `gelu_new`. */
export const geluTanh = unary('geluTanh')
/** x·sigmoid(x). */
export const silu = unary('silu')

export type GateKind = Parameters<NativeOps<Tensor>['gated']>[2]['kind']

/**
 * act(gate) · linear, the middle of a gated feed-forward layer.
 *
 * @param gate (…) float.
 * @param linear of the same shape.
 * @throws {ShapeError} if the shapes differ.
 * @see Shazeer 2020, GLU Variants Improve Transformer. https://arxiv.org/abs/2002.05202
 */
export const gated = differentiable('gated', {
  forward(ctx, gate: Tensor, linear: Tensor, kind: GateKind) {
    ctx.save({ gate, linear })
    ctx.remember({ kind })
    return native.gated(gate, linear, { kind })
  },
  backward(ctx, dY) {
    const { kind } = ctx.remembered as { kind: GateKind }
    const { dGate, dLinear } = native.gatedBwd(ctx.saved.gate!, ctx.saved.linear!, dY, { kind })
    return [dGate, dLinear, null]
  },
})
