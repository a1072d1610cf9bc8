import { native, type Tensor } from '../tensor.ts'

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
