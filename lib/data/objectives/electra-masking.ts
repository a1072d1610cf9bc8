import { ConfigError, describe } from '../../errors.ts'
import type { Random } from '../../random.ts'
import type { ElectraVocabulary, EncoderExample } from './electra-segments.ts'
import { roundHalfEven } from './lengths.ts'

/** What ElectraForJointPreTraining takes of a sequence. */
export interface ElectraExample extends EncoderExample {
  /** (T) what the generator reads. */
  readonly maskedInputIds: Int32Array
  /** (T) original ids at the selected positions, those left unmasked included; −100 elsewhere. */
  readonly labels: Int32Array
  /**
   * Selected positions as they were drawn; with replacement some may come twice. The published loss counts those twice,
   * while `labels` say each once.
   */
  readonly maskedPositions: Int32Array
}

export interface ElectraMaskingOptions {
  readonly vocabulary: ElectraVocabulary
  /** Part of the tokens, special ones included, that is selected, in (0, 1). @default 0.15 */
  readonly maskRate?: number
  /** Of a selected token to be shown as `[MASK]`; otherwise it stays. @default 0.85 */
  readonly replaceRate?: number
  /** Tokens of the longest example: no more are selected than suit it. @default 128 */
  readonly maxLength?: number
  /** Draws positions independently, as published, so that one may come twice; false: that many different ones. @default true */
  readonly withReplacement?: boolean
}

const ignored = -100

/**
 * Selects the tokens that ELECTRA's generator is to predict, never `[CLS]`, `[SEP]` or `[MASK]`, and masks most of them.
 *
 * @throws {ConfigError} for options out of their range.
 * @see Clark et al. 2020, section 3.1. https://arxiv.org/abs/2003.10555
 */
export function electraMasking({
  vocabulary,
  maskRate = 0.15,
  replaceRate = 0.85,
  maxLength = 128,
  withReplacement = true,
}: ElectraMaskingOptions): (example: EncoderExample, random: Random) => ElectraExample {
  const most = maxSelected(maskRate, maxLength)
  if (!(replaceRate >= 0 && replaceRate <= 1)) {
    throw new ConfigError(`electraMasking: expected replaceRate in [0, 1], got ${describe(replaceRate)}`)
  }
  const special = new Set([vocabulary.clsTokenId, vocabulary.sepTokenId, vocabulary.maskTokenId])
  return (example, random) => {
    const { inputIds } = example
    const candidates = Int32Array.from(inputIds.keys()).filter((i) => !special.has(inputIds[i] as number))
    const count = Math.max(1, Math.min(most, roundHalfEven(maskRate * inputIds.length)))
    const maskedPositions = withReplacement
      ? Int32Array.from(
          { length: candidates.length > 0 ? count : 0 },
          () => candidates[random.below(candidates.length)]!,
        )
      : firstShuffled(candidates, count, random)
    const maskedInputIds = inputIds.slice()
    const labels = new Int32Array(inputIds.length).fill(ignored)
    for (const position of maskedPositions) {
      labels[position] = inputIds[position] as number
      if (random.uniform() < replaceRate) maskedInputIds[position] = vocabulary.maskTokenId
    }
    return { ...example, maskedInputIds, labels, maskedPositions }
  }
}

/** Slots for selected positions in an example of `maxLength` tokens: 19 of 128, 79 of 512, 130 of 512 at 25 %. */
export function maxSelected(maskRate: number, maxLength: number): number {
  if (!(maskRate > 0 && maskRate < 1)) {
    throw new ConfigError(`electraMasking: expected maskRate in (0, 1), got ${describe(maskRate)}`)
  }
  if (!Number.isSafeInteger(maxLength) || maxLength < 1) {
    throw new ConfigError(`electraMasking: expected maxLength >= 1, got ${describe(maxLength)}`)
  }
  return Math.floor((maskRate + 0.005) * maxLength)
}

/** Up to `count` different values, in random order. */
function firstShuffled(values: Int32Array, count: number, random: Random): Int32Array {
  const kept = Math.min(count, values.length)
  for (let i = 0; i < kept; i++) {
    const j = i + random.below(values.length - i)
    const value = values[i] as number
    values[i] = values[j] as number
    values[j] = value
  }
  return values.slice(0, kept)
}
