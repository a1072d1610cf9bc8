import { ConfigError, describe } from '../../errors.ts'
import type { Random } from '../../random.ts'
import type { NoiseFunction } from './noise-functions.ts'
import type { NoiseMask } from './noise-mask.ts'
import type { ObjectiveVocabulary } from './vocabulary.ts'

/** One example of an encoder-decoder model. */
export interface Seq2SeqExample {
  /** (S) ids of the source, EOS included. */
  readonly inputIds: Int32Array
  /** (T) ids that the decoder is to predict, EOS included. */
  readonly labels: Int32Array
}

/** Makes an example of the tokens of a text (without EOS): a pure function of both arguments. */
export type Objective = (tokens: Int32Array, random: Random) => Seq2SeqExample

export interface LengthLimits {
  /** Longer inputs lose their end; EOS counts and stays. @default unlimited */
  readonly maxInputLength?: number | undefined
  /** The same for labels. @default unlimited */
  readonly maxTargetLength?: number | undefined
}

export interface DenoiseOptions extends LengthLimits {
  readonly vocabulary: ObjectiveVocabulary
  readonly mask: NoiseMask
  readonly inputs: NoiseFunction
  readonly targets: NoiseFunction
}

/**
 * An objective from its parts: which tokens are noise, what the encoder reads, what the decoder is to say.
 *
 * @throws {ConfigError} for limits below 1.
 */
export function denoise({ vocabulary, mask, inputs, targets, ...limits }: DenoiseOptions): Objective {
  const finish = finisher(vocabulary, limits)
  return (tokens, random) => {
    const noised = { tokens, mask: mask(tokens.length, random), vocabulary, random }
    return finish(inputs(noised), targets(noised))
  }
}

/** Trims inputs and targets to their limits and ends them. */
export function finisher(
  { eosTokenId }: ObjectiveVocabulary,
  { maxInputLength = Infinity, maxTargetLength = Infinity }: LengthLimits,
): (inputs: Int32Array, targets: Int32Array) => Seq2SeqExample {
  for (const limit of [maxInputLength, maxTargetLength]) {
    if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 1)) {
      throw new ConfigError(`objective: expected lengths >= 1 as limits, got ${describe(limit)}`)
    }
  }
  return (inputs, targets) => ({
    inputIds: ended(inputs, maxInputLength, eosTokenId),
    labels: ended(targets, maxTargetLength, eosTokenId),
  })
}

function ended(tokens: Int32Array, limit: number, eosTokenId: number): Int32Array {
  const kept = Math.min(tokens.length, limit - 1)
  const result = new Int32Array(kept + 1)
  result.set(tokens.subarray(0, kept))
  result[kept] = eosTokenId
  return result
}
