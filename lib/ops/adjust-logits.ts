import { nonDifferentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'

/**
 * Repetition penalty: the logits of a row's ids are divided by `penalty` when they are positive, else multiplied; once
 * for an id, however often it comes.
 *
 * @param logits (R, V) float.
 * @param ids (R, L) int32.
 * @param penalty above 1 discourages what is there already.
 * @param options.lengths (R) int32, how many ids of a row count. @default L
 * @returns (R, V) float32.
 * @throws {IndexError} at the next wait, if an id or a length is out of range.
 * @see Keskar et al. 2019, CTRL. https://arxiv.org/abs/1909.05858
 */
export const penalizeRepetition = nonDifferentiable(
  'penalizeRepetition',
  (logits: Tensor, ids: Tensor, penalty: number, { lengths = null }: { lengths?: Tensor | null } = {}): Tensor =>
    native.penalizeRepetition(logits, ids, lengths, { penalty }),
)

export interface NgramOptions {
  /** (R) int32, how many ids of a row count. @default L */
  lengths?: Tensor | null
  /** (R, S) int32: bans n-grams of these rows instead of those of `ids`. */
  sources?: Tensor | null
  /** (R) int32. @default S */
  sourceLengths?: Tensor | null
}

/**
 * Bans (-inf) every token that would end an n-gram which occurs already: the row's last n − 1 ids and the token.
 *
 * @param logits (R, V) float.
 * @param ids (R, L) int32.
 * @returns (R, V) float32.
 * @throws {IndexError} at the next wait, if an id or a length is out of range.
 */
export const banRepeatedNgrams = nonDifferentiable(
  'banRepeatedNgrams',
  (
    logits: Tensor,
    ids: Tensor,
    n: number,
    { lengths = null, sources = null, sourceLengths = null }: NgramOptions = {},
  ): Tensor => native.banRepeatedNgrams(logits, ids, lengths, sources, sourceLengths, { n }),
)

/**
 * Bans (-inf) tokens in every row: end tokens of sequences that are too short, suppressed tokens.
 *
 * @param logits (R, V) float.
 * @param tokens (K) int32.
 * @returns (R, V) float32.
 * @throws {IndexError} at the next wait, if a token is out of range.
 */
export const banTokens = nonDifferentiable(
  'banTokens',
  (logits: Tensor, tokens: Tensor): Tensor => native.banTokens(logits, tokens),
)

/**
 * Adds a bias to single scores; a token that is listed twice in a row gets both.
 *
 * @param logits (R, V) float.
 * @param rows (K) int32.
 * @param tokens (K) int32.
 * @param bias (K) float32; -inf bans.
 * @returns (R, V) float32.
 * @throws {IndexError} at the next wait, if a row or token is out of range.
 */
export const biasTokens = nonDifferentiable(
  'biasTokens',
  (logits: Tensor, rows: Tensor, tokens: Tensor, bias: Tensor): Tensor => native.biasTokens(logits, rows, tokens, bias),
)

/**
 * Bans (-inf) all tokens of a row but those listed for it. Where the listed ones of a whole group of rows are -inf
 * already, they become 0: the constraint wins.
 *
 * @param logits (R, V) float.
 * @param rows (K) int32.
 * @param tokens (K) int32.
 * @param options.group consecutive rows that are looked at together: the beams of a sentence. @default 1
 * @returns (R, V) float32.
 * @throws {ShapeError} if R is not a multiple of `group`.
 * @throws {IndexError} at the next wait, if a row or token is out of range.
 */
export const allowTokens = nonDifferentiable(
  'allowTokens',
  (logits: Tensor, rows: Tensor, tokens: Tensor, { group = 1 }: { group?: number } = {}): Tensor =>
    native.allowTokens(logits, rows, tokens, { group }),
)

/**
 * Leaves nothing but the tokens, with score 0, in the rows that are listed; others stay as they are.
 *
 * @param logits (R, V) float.
 * @param rows (K) int32.
 * @param tokens (K) int32.
 * @returns (R, V) float32.
 * @throws {IndexError} at the next wait, if a row or token is out of range.
 */
export const forceTokens = nonDifferentiable(
  'forceTokens',
  (logits: Tensor, rows: Tensor, tokens: Tensor): Tensor => native.forceTokens(logits, rows, tokens),
)

/**
 * Raises single scores by a share of their magnitude: l + factor·|l|. -inf stays.
 *
 * @param logits (R, V) float.
 * @param rows (K) int32.
 * @param tokens (K) int32.
 * @param factors (K) float32.
 * @returns (R, V) float32.
 * @throws {IndexError} at the next wait, if a row or token is out of range.
 */
export const boostTokens = nonDifferentiable(
  'boostTokens',
  (logits: Tensor, rows: Tensor, tokens: Tensor, factors: Tensor): Tensor =>
    native.boostTokens(logits, rows, tokens, factors),
)

/**
 * 0 for NaN, the largest finite numbers for infinities.
 *
 * @param logits (R, V) float.
 * @returns (R, V) float32.
 */
export const replaceNonFinite = nonDifferentiable(
  'replaceNonFinite',
  (logits: Tensor): Tensor => native.replaceNonFinite(logits),
)
