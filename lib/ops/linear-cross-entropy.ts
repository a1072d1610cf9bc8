import { type Context, differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'
import { type CrossEntropyOptions, lossOptions } from './cross-entropy.ts'

/** @internal Which gradients forward shall compute on its way: those of arguments 0 to 2. */
export function gradientsOf(ctx: Context) {
  return { gradX: ctx.needs(0), gradWeight: ctx.needs(1), gradBias: ctx.needs(2) }
}

/** @internal The gradients that forward saved, multiplied in place by the scalar that arrives. */
export function scaledGradients(ctx: Context, dLoss: Tensor): (Tensor | null)[] {
  return ['dX', 'dWeight', 'dBias'].map((name) => {
    const saved = ctx.savedOrNull(name)
    if (!saved) return null
    // The record's handle goes first: a gradient with one owner becomes the leaf's without a copy.
    const gradient = saved.detach()
    saved.dispose()
    native.scale(gradient, dLoss)
    return gradient
  })
}

/**
 * Softmax cross-entropy of the logits x·Wᵀ + bias, which are computed by blocks of tokens and never held whole. With a
 * tape, the gradients fall out of the same sweep (6·N·K·V FLOPs in all); only reduction `none`, whose rows are weighted
 * after the fact, computes the logits again in backward.
 *
 * @param x (N, K) float.
 * @param weight (V, K) float.
 * @param bias (V) float, or null.
 * @param labels (N) int32, in [0, V) or `ignoreIndex`.
 * @param options as `crossEntropy` has them.
 * @returns () float32, or (N) with reduction `none`.
 * @throws as `crossEntropy`.
 * @see Hsu et al. 2024, Liger Kernel, section 3 (gradients in the forward pass). https://arxiv.org/abs/2410.10989
 */
export const linearCrossEntropy = differentiable('linearCrossEntropy', {
  forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | null, labels: Tensor, options: CrossEntropyOptions = {}) {
    const { weights, attrs } = lossOptions('linearCrossEntropy', options)
    const later = attrs.reduction === 'none'
    const wanted = later ? {} : gradientsOf(ctx)
    const { loss, ...gradients } = native.linearCrossEntropy(x, weight, bias, labels, weights, null, {
      ...attrs,
      ...wanted,
    })
    ctx.save(later ? { x, weight, bias, labels } : gradients)
    ctx.remember({ attrs: later ? attrs : null })
    return loss
  },
  backward(ctx, dLoss) {
    const attrs = ctx.remembered.attrs as CrossEntropyOptions | null
    if (!attrs) return scaledGradients(ctx, dLoss)
    const { x, weight, labels } = ctx.saved as Record<'x' | 'weight' | 'labels', Tensor>
    const { dX, dWeight, dBias } = native.linearCrossEntropy(x, weight, ctx.savedOrNull('bias'), labels, null, dLoss, {
      ...attrs,
      ...gradientsOf(ctx),
    })
    return [dX, dWeight, dBias]
  },
})
