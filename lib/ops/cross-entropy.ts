import { differentiable } from '../autograd/differentiable.ts'
import { gradEnabled } from '../autograd/grad-mode.ts'
import { StateError } from '../errors.ts'
import { native, type Tensor } from '../tensor.ts'

/** How the losses of rows become one: `weighted` is Σ weight·loss / Σ weight; `none` keeps them apart. */
export type Reduction = 'mean' | 'sum' | 'none' | 'weighted'

export interface CrossEntropyOptions {
  /** Rows with this label count nothing. @default -100 */
  ignoreIndex?: number
  /** Share ε of the target that is taken from the label, in [0, 1). @default 0 */
  labelSmoothing?: number
  /**
   * Where ε goes: `uniform` spreads it over all V classes (Hugging Face); `t5x` over the other V − 1, and subtracts the
   * target's entropy, so that the smallest loss is 0. @default 'uniform'
   */
  smoothing?: 'uniform' | 't5x'
  /** Adds zLoss·logsumexp² for each kept row, which keeps the logits from drifting. @default 0 */
  zLoss?: number
  /** Mean and weighted give 0, with zero gradients, when there is nothing to divide by. @default 'mean' */
  reduction?: Reduction
  /** (N) float, for reduction `weighted` and only there; they have no gradient. A row of weight 0 counts nothing. */
  weights?: Tensor | null
}

/** @internal Splits the weights from the attributes that the native losses take. */
export function lossOptions<T extends { weights?: Tensor | null }>(op: string, options: T) {
  const { weights = null, ...attrs } = options
  if (gradEnabled() && weights?.requiresGrad) {
    throw new StateError(`${op}: expected weights without gradient, got some that require it`)
  }
  return { weights, attrs }
}

/**
 * Softmax cross-entropy of rows of logits against labels, in nats, computed in float32. Logits may hold −inf.
 *
 * @param logits (N, V) float.
 * @param labels (N) int32, in [0, V) or `ignoreIndex`.
 * @returns () float32, or (N) with reduction `none`, where ignored rows have 0.
 * @throws {ShapeError} if the shapes do not fit.
 * @throws {ConfigError} if an option is out of range, or weights and reduction do not belong together.
 * @throws {IndexError} at the next wait, if a label is neither below V nor `ignoreIndex`.
 * @see Szegedy et al. 2016 (label smoothing), https://arxiv.org/abs/1512.00567; Chowdhery et al. 2022, PaLM, section 5
 * (z-loss), https://arxiv.org/abs/2204.02311
 */
export const crossEntropy = differentiable('crossEntropy', {
  forward(ctx, logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}) {
    const { weights, attrs } = lossOptions('crossEntropy', options)
    const { loss, lse, scale } = native.crossEntropyFwd(logits, labels, weights, attrs)
    // Rebuilding the probabilities from lse costs less than keeping a second (N, V).
    ctx.save({ logits, labels, weights, lse, scale })
    ctx.remember({ attrs })
    return loss
  },
  backward(ctx, dLoss) {
    const { logits, labels, lse, scale } = ctx.saved as Record<'logits' | 'labels' | 'lse' | 'scale', Tensor>
    const attrs = ctx.remembered.attrs as Omit<CrossEntropyOptions, 'weights'>
    return [native.crossEntropyBwd(logits, labels, ctx.savedOrNull('weights'), lse, scale, dLoss, attrs)]
  },
})
