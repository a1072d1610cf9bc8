import { nonDifferentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'

/**
 * Id of each row's largest logit; of equal ones the lowest.
 *
 * @param logits (R, V) float, V > 0.
 * @returns (R) int32.
 * @throws {DataError} at the next wait, if a logit is NaN.
 */
export const argmax = nonDifferentiable('argmax', (logits: Tensor): Tensor => native.argmax(logits))

/**
 * The k largest logits of each row, descending; of equal ones lower ids come first.
 *
 * @param logits (R, V) float.
 * @param k 1 … V.
 * @returns values (R, k) in the logits' dtype, ids (R, k) int32.
 * @throws {DataError} at the next wait, if a logit is NaN.
 */
export const topK = nonDifferentiable('topK', (logits: Tensor, k: number) => native.topK(logits, { k }))

export interface RandomDraw {
  seed: number
  /** Which module or use draws. @default 0 */
  site?: number
  /** @default 0 */
  step?: number
  /** (rows) int32 >= 0: which stream of random numbers each row draws from. @default 0, 1, 2, … */
  streams?: Tensor | null
}

/**
 * Draws an id of each row with the probabilities softmax(logits), by inverse CDF. The number for stream i is the i-th
 * 32-bit word of Philox with (seed, site, step): it does not depend on the other rows.
 *
 * @param logits (R, V) float; -inf is never drawn.
 * @param random `streams` (R).
 * @returns (R) int32.
 * @throws {DataError} at the next wait, if a row has a NaN or +inf, or nothing but -inf.
 * @throws {IndexError} at the next wait, if a stream is negative.
 */
export const sampleCategorical = nonDifferentiable(
  'sampleCategorical',
  (logits: Tensor, { streams = null, ...random }: RandomDraw): Tensor =>
    native.sampleCategorical(logits, streams, random),
)

/** Continuations of the running beams of B sentences, k of each. */
export interface BeamCandidates {
  /** (B, k) float32. */
  readonly scores: Tensor
  /** (B, k) int32: which of its sentence's beams each continues. */
  readonly parents: Tensor
  /** (B, k) int32. */
  readonly tokens: Tensor
}

/**
 * The k best continuations of each sentence by beamScores + logits, best first; of equal ones the lower beam, then the
 * lower token. With k = max(2, 1 + number of end tokens) · b, enough are left when all that end are taken out.
 *
 * @param logits (B·b, V) float, the beams of one sentence after the other; log-probabilities, processed.
 * @param beamScores (B, b) float32; beams that do not run yet have -1e9.
 * @returns scores (B, k) float32; parents (B, k) int32, the beam in its sentence; tokens (B, k) int32.
 * @throws {DataError} at the next wait, if a sum is NaN.
 */
export const beamCandidates = nonDifferentiable(
  'beamCandidates',
  (logits: Tensor, beamScores: Tensor, k: number): BeamCandidates => native.beamCandidates(logits, beamScores, { k }),
)

/**
 * Of each sentence's candidates the beams that go on, best first: those that end rank `demotion` lower, which fills up
 * where too few others are left. Of equal ones the earlier candidate comes first.
 *
 * @param candidates as `beamCandidates` or `sampleCandidates` gives them.
 * @param ends (E) int32: the tokens that end a beam.
 * @param beams b: at most k.
 * @param demotion what is added to the score of a candidate that ends.
 * @returns beamScores (B, b) float32; rows (B·b) int32, which of the sentences' beams each continues, counted over all of
 *   them; running (B·b) int32, its new token.
 */
export const runningBeams = nonDifferentiable(
  'runningBeams',
  ({ scores, parents, tokens }: BeamCandidates, ends: Tensor, beams: number, demotion: number) =>
    native.runningBeams(scores, parents, tokens, ends, { beams, demotion }),
)

/**
 * Draws k different continuations of each sentence, without replacement, with the probabilities softmax(beamScores +
 * logits) over all its beams: sampling beam search.
 *
 * @param logits (B·b, V) float, the beams of one sentence after the other; log-probabilities, processed.
 * @param beamScores (B, b) float32; beams that do not run yet have -1e9.
 * @param k at most b · V; what cannot be drawn (-inf) comes last.
 * @param random `streams` (B).
 * @returns in the order drawn: scores (B, k) float32, the sums; parents (B, k) int32, the beam in its sentence; tokens
 *   (B, k) int32.
 * @throws {DataError} at the next wait, if a sum is NaN. {IndexError} if a stream is negative.
 * @see Kool et al. 2019, Stochastic Beams and Where to Find Them. https://arxiv.org/abs/1903.06059
 */
export const sampleCandidates = nonDifferentiable(
  'sampleCandidates',
  (logits: Tensor, beamScores: Tensor, k: number, { streams = null, ...random }: RandomDraw): BeamCandidates =>
    native.sampleCandidates(logits, beamScores, streams, { k, ...random }),
)

export type WarpRule = 'temperature' | 'topK' | 'topP' | 'minP' | 'typical' | 'epsilon' | 'eta' | 'topH'

/**
 * Applies one rule of sampling; what it removes becomes -inf. Several are chained, in the order temperature, topH, topK,
 * topP, minP, typical, epsilon, eta.
 *
 * - `temperature`: divides.
 * - `topK`: keeps what is at least the value-th largest logit, ties included.
 * - `topP`: keeps the best until their probability reaches value.
 * - `minP`: keeps probabilities of at least value times the largest.
 * - `typical`: keeps those whose information is nearest to the entropy, until their probability reaches value.
 * - `epsilon`: keeps probabilities of at least value; `eta`: of at least min(value, √value·e^−entropy).
 * - `topH`: keeps the best until they use up value times the entropy of the best hundred.
 *
 * @param logits (R, V) float.
 * @param options.minTokensToKeep at least so many stay in each row. @default 1
 * @returns (R, V) float32.
 * @throws {ConfigError} if value is outside the rule's range.
 * @throws {DataError} at the next wait, if a logit is NaN or +inf.
 * @see Holtzman et al. 2020 https://arxiv.org/abs/1904.09751 (topP), Meister et al. 2022
 *   https://arxiv.org/abs/2202.00666 (typical), Hewitt et al. 2022 https://arxiv.org/abs/2210.15191 (epsilon, eta),
 *   Nguyen et al. 2024 https://arxiv.org/abs/2407.01082 (minP)
 */
export const warpLogits = nonDifferentiable(
  'warpLogits',
  (logits: Tensor, rule: WarpRule, value: number, { minTokensToKeep = 1 }: { minTokensToKeep?: number } = {}): Tensor =>
    native.warpLogits(logits, { rule, value, minTokensToKeep }),
)
