import { differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'

export interface BceOptions {
  /** 0 or 1 (uint8, or cast to it) in the shape of the logits: where it is 0, loss and gradient are. */
  mask?: Tensor | null
  /** `mean` is over the elements that the mask keeps, 0 when there are none. @default 'mean' */
  reduction?: 'mean' | 'sum' | 'none'
}

function asMask(mask: Tensor | null | undefined): Tensor | null {
  return mask && mask.dtype !== 'uint8' ? native.cast(mask, { dtype: 'uint8' }) : (mask ?? null)
}

/**
 * Binary cross-entropy of logits, −y·log σ(x) − (1 − y)·log(1 − σ(x)) in the form that does not overflow, in nats.
 *
 * @param logits float, any shape.
 * @param targets float in [0, 1], of the same shape; they have no gradient.
 * @returns () float32; with reduction `none` in the shape of the logits.
 * @throws {ShapeError} if the shapes differ.
 */
export const bceWithLogits = differentiable('bceWithLogits', {
  forward(ctx, logits: Tensor, targets: Tensor, { mask, reduction = 'mean' }: BceOptions = {}) {
    // The gradient falls out of the same pass over the logits, so it is computed now and nothing else is kept.
    const attrs = { reduction, gradient: ctx.recording }
    const { loss, dLogits } = native.bceWithLogits(logits, targets, asMask(mask), attrs)
    ctx.save({ dLogits })
    return loss
  },
  backward(ctx, dLoss) {
    return [native.binary(ctx.saved.dLogits as Tensor, dLoss, { op: 'mul' })]
  },
})

/**
 * Replaced-token detection loss, the discriminator's objective in ELECTRA: mean binary cross-entropy over packed tokens.
 *
 * @param logits (N) float; positive means "this token was replaced".
 * @param isReplaced (N) uint8; 0 also where the generator happened to sample the original token.
 * @param mask (N) 0 or 1; tokens with 0 do not count.
 * @returns () float32, the mean over the tokens that count, in nats; 0 when there are none.
 * @throws {ShapeError} if the shapes differ.
 * @see Clark et al. 2020, ELECTRA, section 3.1. https://arxiv.org/abs/2003.10555
 */
export const rtdLoss = differentiable('rtdLoss', {
  forward(ctx, logits: Tensor, isReplaced: Tensor, mask: Tensor | null = null) {
    const { loss, dLogits } = native.rtdLoss(logits, isReplaced, asMask(mask), { gradient: ctx.recording })
    ctx.save({ dLogits })
    return loss
  },
  backward(ctx, dLoss) {
    return [native.binary(ctx.saved.dLogits as Tensor, dLoss, { op: 'mul' })]
  },
})
