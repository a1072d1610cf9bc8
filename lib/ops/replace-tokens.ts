import { differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'
import { lossOptions } from './cross-entropy.ts'
import { gradientsOf, scaledGradients } from './linear-cross-entropy.ts'

export interface SamplingOptions {
  /** Key of the random numbers. */
  seed: number
  /** Which module draws. @default 0 */
  site?: number
  /** Which step draws. @default 0 */
  step?: number
  /** Logits are divided by it, > 0. @default 1 */
  temperature?: number
  /** Never sample the original token. @default false */
  disallowCorrect?: boolean
}

export interface ReplacedTokens {
  /** (N) int32: the original ids with the samples in the selected positions. */
  corruptedIds: Tensor
  /** (N) uint8: 1 where the new id differs from the original; a correct guess counts as real. */
  isReplaced: Tensor
  /** (M) int32: what was drawn at each selected position. */
  sampledIds: Tensor
}

/**
 * ELECTRA's corruption: replaces the selected tokens by samples from the generator's distribution, softmax(logits / T).
 * The sample of row i depends on (seed, site, step), i and that row alone; there is no gradient through it. Where a
 * position is listed more than once, each row draws and the last one counts.
 *
 * @param logits (M, V) float, the generator's logits at the selected positions; −inf excludes a token.
 * @param originalIds (N) int32 in [0, V) where selected: the unmasked tokens.
 * @param maskedPositions (M) int32 in [0, N): the selected positions.
 * @throws {ShapeError} if logits and positions differ in number.
 * @throws {IndexError} at the next wait, if a position is not in [0, N), or an original id there not in [0, V).
 * @throws {DataError} at the next wait, if a row holds NaN or inf, or no token that could be drawn.
 * @see Clark et al. 2020, ELECTRA, section 3.1. https://arxiv.org/abs/2003.10555
 */
export function replaceTokens(
  logits: Tensor,
  originalIds: Tensor,
  maskedPositions: Tensor,
  options: SamplingOptions,
): ReplacedTokens {
  return native.replaceTokens(logits, originalIds, maskedPositions, options)
}

export interface GeneratorOptions extends SamplingOptions {
  /** (M) float: the loss is Σ weight·loss / Σ weight. They have no gradient. */
  weights?: Tensor | null
}

const generator = differentiable('generatorObjective', {
  forward(
    ctx,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | null,
    originalIds: Tensor,
    maskedPositions: Tensor,
    options: GeneratorOptions,
  ) {
    const { weights, attrs } = lossOptions('generatorObjective', options)
    const result = native.generatorObjective(x, weight, bias, originalIds, maskedPositions, weights, {
      ...attrs,
      ...gradientsOf(ctx),
    })
    const { dX, dWeight, dBias, ...outputs } = result
    ctx.save({ dX, dWeight, dBias })
    return [outputs.loss, outputs.corruptedIds, outputs.isReplaced, outputs.sampledIds]
  },
  backward(ctx, dLoss) {
    return dLoss ? scaledGradients(ctx, dLoss) : []
  },
})

/**
 * The generator's half of an ELECTRA step in one pass: the masked-language-model loss of the logits x·Wᵀ + bias at the
 * selected positions, and the replacement tokens, sampled out of the same sums of exponentials (at temperature 1; other
 * temperatures sum once more). The logits are computed by blocks of rows and never held whole. Under `noGrad` it is
 * `replaceTokens` from hidden rows.
 *
 * @param x (M, K) float: the head's hidden rows at the selected positions.
 * @param weight (V, K) float, the word embeddings; bias (V) float, or null.
 * @param originalIds (N) int32, the unmasked tokens: at the selected positions they are the labels, in [0, V).
 * @param maskedPositions (M) int32 in [0, N); as in `replaceTokens`, each listing of a position counts in the loss.
 * @returns `loss` () float32, the mean over the M rows (weighted, with `weights`), in nats, 0 when there are none; and
 * what `replaceTokens` returns. Gradients flow through the loss alone.
 * @throws as `replaceTokens`.
 * @see Clark et al. 2020, ELECTRA, section 3.1. https://arxiv.org/abs/2003.10555
 */
export function generatorObjective(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  originalIds: Tensor,
  maskedPositions: Tensor,
  options: GeneratorOptions,
): ReplacedTokens & { loss: Tensor } {
  const [loss, corruptedIds, isReplaced, sampledIds] = generator(
    x,
    weight,
    bias,
    originalIds,
    maskedPositions,
    options,
  ) as [Tensor, Tensor, Tensor, Tensor]
  return { loss, corruptedIds, isReplaced, sampledIds }
}
