// What becomes of a text's noise, and of what is kept: the parts that inputs and targets of objectives are put together from.
// Raffel et al. 2020, sections 3.1.4 and 3.3. https://arxiv.org/abs/1910.10683
import { DataError } from '../../errors.ts'
import type { Random } from '../../random.ts'
import type { ObjectiveVocabulary } from './vocabulary.ts'

/** A text with its noise marked. */
export interface Noised {
  readonly tokens: Int32Array
  /** 1 where a token is noise. */
  readonly mask: Uint8Array
  readonly vocabulary: ObjectiveVocabulary
  readonly random: Random
}

export type NoiseFunction = (noised: Noised) => Int32Array

/** The text as it is. */
export const fullText: NoiseFunction = ({ tokens }) => tokens.slice()

/** What is not noise. */
export const dropNoise: NoiseFunction = ({ tokens, mask }) => tokens.filter((_, i) => mask[i] !== 1)

/** The noise alone. */
export const keepNoise: NoiseFunction = ({ tokens, mask }) => tokens.filter((_, i) => mask[i] === 1)

/** Each run of noise becomes a sentinel of its own, the first, the second, and so on. */
export const noiseSpansToUniqueSentinels: NoiseFunction = ({ tokens, mask, vocabulary }) =>
  runsToSentinels(tokens, mask, 1, (run) => sentinel(vocabulary, run))

/** The complement: each run of kept tokens becomes a sentinel of its own. */
export const keptSpansToUniqueSentinels: NoiseFunction = ({ tokens, mask, vocabulary }) =>
  runsToSentinels(tokens, mask, 0, (run) => sentinel(vocabulary, run))

/** Each run of noise becomes the first sentinel. */
export const noiseSpansToOneSentinel: NoiseFunction = ({ tokens, mask, vocabulary }) =>
  runsToSentinels(tokens, mask, 1, () => sentinel(vocabulary, 0))

/** Each noise token becomes the first sentinel. */
export const noiseTokensToSentinel: NoiseFunction = ({ tokens, mask, vocabulary }) =>
  tokens.map((token, i) => (mask[i] === 1 ? sentinel(vocabulary, 0) : token))

/** Noise tokens change places among themselves. */
export const permuteNoise: NoiseFunction = (noised) => {
  const shuffled = noised.random.shuffle(keepNoise(noised))
  let next = 0
  return noised.tokens.map((token, i) => (noised.mask[i] === 1 ? (shuffled[next++] as number) : token))
}

/** Each noise token becomes a token from a random place of the same text. */
export const noiseToTokensOfText: NoiseFunction = ({ tokens, mask, random }) =>
  tokens.map((token, i) => (mask[i] === 1 ? (tokens[random.below(tokens.length)] as number) : token))

/** Each noise token becomes a token drawn from the vocabulary. */
export const noiseToRandomTokens: NoiseFunction = ({ tokens, mask, vocabulary, random }) =>
  tokens.map((token, i) => (mask[i] === 1 ? randomToken(vocabulary, random) : token))

/** Each noise token becomes a token drawn from the vocabulary with probability `randomRate`, else the first sentinel. */
export function noiseToRandomOrSentinel(randomRate = 0.1): NoiseFunction {
  return ({ tokens, mask, vocabulary, random }) =>
    tokens.map((token, i) => {
      if (mask[i] !== 1) return token
      return random.uniform() < randomRate ? randomToken(vocabulary, random) : sentinel(vocabulary, 0)
    })
}

/** @throws {DataError} if the vocabulary has not that many sentinels. */
export function sentinel({ sentinelIds }: ObjectiveVocabulary, number: number): number {
  const id = sentinelIds[number]
  if (id !== undefined) return id
  const got = `a text with more spans than its ${sentinelIds.length}`
  throw new DataError(`objective: expected a sentinel for each span (shorter segments need fewer), got ${got}`)
}

function randomToken({ firstTokenId = 3, vocabSize }: ObjectiveVocabulary, random: Random): number {
  return firstTokenId + random.below(vocabSize - firstTokenId)
}

/** Puts one sentinel in the place of each run of tokens whose mask has the value. */
function runsToSentinels(
  tokens: Int32Array,
  mask: Uint8Array,
  value: 0 | 1,
  sentinelOf: (run: number) => number,
): Int32Array {
  const result: number[] = []
  let runs = 0
  tokens.forEach((token, i) => {
    if (mask[i] !== value) result.push(token)
    else if (i === 0 || mask[i - 1] !== value) result.push(sentinelOf(runs++))
  })
  return Int32Array.from(result)
}
