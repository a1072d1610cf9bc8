import { type Context, differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'
import { type DropoutOptions, dropoutAttrs } from './dropout.ts'

export interface NormOptions {
  /** Added to the mean square (variance) under the root. @default 1e-6 of rmsNorm, 1e-12 of layerNorm: T5's and ELECTRA's */
  eps?: number
}

/** `dropoutP` and the rest apply to x before the residual is added. */
export interface FusedNormOptions extends NormOptions, DropoutOptions {}

function rmsForward(ctx: Context, x: Tensor, residual: Tensor | null, weight: Tensor, options: FusedNormOptions) {
  const attrs = dropoutAttrs(options)
  const { dropoutP, seed, site, step } = attrs
  const eps = options.eps ?? 1e-6
  const { y, h, rstd } = native.rmsNorm(x, residual, weight, { eps, dropoutP, seed, site, step })
  ctx.save({ h: h ?? x, weight, rstd })
  ctx.remember({ attrs })
  if (ctx.recording) y.origin = () => native.rmsNorm(ctx.saved.h!, null, ctx.saved.weight!, { eps }).y
  return { y, h }
}

function rmsBackward(ctx: Context, dY: Tensor, dHOut: Tensor | null) {
  const { h, weight, rstd } = ctx.saved as Record<'h' | 'weight' | 'rstd', Tensor>
  return native.rmsNormBwd(h, weight, rstd, dY, dHOut, attrsOf(ctx))
}

function layerForward(
  ctx: Context,
  x: Tensor,
  residual: Tensor | null,
  weight: Tensor,
  bias: Tensor,
  options: FusedNormOptions,
) {
  const attrs = dropoutAttrs(options)
  const { dropoutP, seed, site, step } = attrs
  const eps = options.eps ?? 1e-12
  const { y, h, mean, rstd } = native.layerNorm(x, residual, weight, bias, { eps, dropoutP, seed, site, step })
  ctx.save({ h: h ?? x, weight, bias, mean, rstd })
  ctx.remember({ attrs })
  if (ctx.recording) {
    y.origin = () => native.layerNorm(ctx.saved.h!, null, ctx.saved.weight!, ctx.saved.bias!, { eps }).y
  }
  return { y, h }
}

function layerBackward(ctx: Context, dY: Tensor, dHOut: Tensor | null) {
  const { h, weight, mean, rstd } = ctx.saved as Record<'h' | 'weight' | 'mean' | 'rstd', Tensor>
  return native.layerNormBwd(h, weight, mean, rstd, dY, dHOut, attrsOf(ctx))
}

function attrsOf(ctx: Context): Required<DropoutOptions> {
  return ctx.remembered.attrs as Required<DropoutOptions>
}

/** Gradient of y when only h was used. */
function orZeros(dY: Tensor | null, ctx: Context): Tensor {
  return dY ?? native.affine(ctx.saved.h!, { scale: 0 })
}

/**
 * RMSNorm over the last dimension: weight · x / √(mean(x²) + eps). No mean is subtracted and no bias added.
 *
 * @param x (…, D) float.
 * @param weight (D) float.
 * @throws {ShapeError} if the shapes do not fit.
 * @see Zhang and Sennrich 2019, Root Mean Square Layer Normalization. https://arxiv.org/abs/1910.07467
 */
export const rmsNorm = differentiable('rmsNorm', {
  forward(ctx, x: Tensor, weight: Tensor, options: NormOptions = {}) {
    return rmsForward(ctx, x, null, weight, { eps: options.eps ?? 1e-6 }).y
  },
  backward(ctx, dY) {
    const { dH, dWeight } = rmsBackward(ctx, dY, null)
    return [dH, dWeight, null]
  },
})

/**
 * One pass over h = residual + dropout(x) and y = rmsNorm(h): what stands between two sublayers of a pre-norm transformer.
 *
 * @param x (…, D) float; the sublayer's output.
 * @param residual of the same shape.
 * @param weight (D) float.
 * @returns [y, h], both of x's shape and dtype.
 */
export const residualRmsNorm = differentiable('residualRmsNorm', {
  forward(ctx, x: Tensor, residual: Tensor, weight: Tensor, options: FusedNormOptions = {}): [Tensor, Tensor] {
    const { y, h } = rmsForward(ctx, x, residual, weight, options)
    return [y, h as Tensor]
  },
  backward(ctx, dY, dHOut) {
    const { dH, dX, dWeight } = rmsBackward(ctx, orZeros(dY!, ctx), dHOut!)
    return [dX ?? dH, dH, dWeight, null]
  },
})

/**
 * LayerNorm over the last dimension: weight · (x − mean) / √(variance + eps) + bias, with the biased variance.
 *
 * @param x (…, D) float.
 * @param weight (D) float.
 * @param bias (D) float.
 * @throws {ShapeError} if the shapes do not fit.
 * @see Ba, Kiros and Hinton 2016, Layer Normalization. https://arxiv.org/abs/1607.06450
 */
export const layerNorm = differentiable('layerNorm', {
  forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, options: NormOptions = {}) {
    return layerForward(ctx, x, null, weight, bias, { eps: options.eps ?? 1e-12 }).y
  },
  backward(ctx, dY) {
    const { dH, dWeight, dBias } = layerBackward(ctx, dY, null)
    return [dH, dWeight, dBias, null]
  },
})

/**
 * One pass over h = residual + dropout(x) and y = layerNorm(h): the end of a sublayer of a post-norm transformer.
 *
 * @param x (…, D) float; the sublayer's output.
 * @param residual of the same shape; the sublayer's input.
 * @param weight (D) float.
 * @param bias (D) float.
 * @returns [y, h], both of x's shape and dtype.
 */
export const residualLayerNorm = differentiable('residualLayerNorm', {
  forward(
    ctx,
    x: Tensor,
    residual: Tensor,
    weight: Tensor,
    bias: Tensor,
    options: FusedNormOptions = {},
  ): [Tensor, Tensor] {
    const { y, h } = layerForward(ctx, x, residual, weight, bias, options)
    return [y, h as Tensor]
  },
  backward(ctx, dY, dHOut) {
    const { dH, dX, dWeight, dBias } = layerBackward(ctx, orZeros(dY!, ctx), dHOut!)
    return [dX ?? dH, dH, dWeight, dBias, null]
  },
})
