// The unsupervised objectives of Raffel et al. 2020, tables 3 to 7, each as mask, inputs and targets.
// https://arxiv.org/abs/1910.10683
import { denoise, type LengthLimits, type Objective } from './denoise.ts'
import * as noise from './noise-functions.ts'
import * as masks from './noise-mask.ts'
import type { ObjectiveVocabulary } from './vocabulary.ts'

export interface ObjectiveOptions extends LengthLimits {
  readonly vocabulary: ObjectiveVocabulary
}

export interface NoiseOptions extends ObjectiveOptions {
  /** Part of the tokens that is noise, in (0, 1). @default 0.15 */
  readonly noiseDensity?: number | undefined
}

/**
 * T5's own objective: random spans are each replaced by a sentinel, `<extra_id_0>` first; the targets are the spans, each
 * after its sentinel. No sentinel closes them: the last span is the end of the text.
 * `spanCorruptionLengths` says how long segments should be.
 *
 * @throws {ConfigError} for options out of their range. The objective throws {DataError} for a text with more spans than
 *   there are sentinels; so do the others that number their spans.
 */
export function spanCorruption({
  noiseDensity,
  meanNoiseSpanLength,
  randomRoll,
  ...options
}: ObjectiveOptions & masks.SpanMaskOptions): Objective {
  return denoise({
    mask: masks.spanMask({ noiseDensity, meanNoiseSpanLength, randomRoll }),
    inputs: noise.noiseSpansToUniqueSentinels,
    targets: noise.keptSpansToUniqueSentinels,
    ...options,
  })
}

/** As `spanCorruption`, but each token is noise by itself: spans are the runs that happen to arise. */
export function iidDenoising({ noiseDensity, ...options }: NoiseOptions): Objective {
  return denoise({
    mask: masks.iidMask(noiseDensity),
    inputs: noise.noiseSpansToUniqueSentinels,
    targets: noise.keptSpansToUniqueSentinels,
    ...options,
  })
}

/** As `iidDenoising`, with spans of equal lengths at equal distances. */
export function regularSpans({ noiseDensity, ...options }: NoiseOptions): Objective {
  return denoise({
    mask: masks.regularSpansMask(noiseDensity),
    inputs: noise.noiseSpansToUniqueSentinels,
    targets: noise.keptSpansToUniqueSentinels,
    ...options,
  })
}

/** Noise tokens become the first sentinel, one in ten a random token; the target is the whole text. */
export function bertStyle({ noiseDensity, ...options }: NoiseOptions): Objective {
  return denoise({
    mask: masks.iidMask(noiseDensity),
    inputs: noise.noiseToRandomOrSentinel(0.1),
    targets: noise.fullText,
    ...options,
  })
}

/** Each noise token becomes the first sentinel; the target is the whole text. */
export function massStyle({ noiseDensity, ...options }: NoiseOptions): Objective {
  return denoise({
    mask: masks.iidMask(noiseDensity),
    inputs: noise.noiseTokensToSentinel,
    targets: noise.fullText,
    ...options,
  })
}

/** Noise tokens are left out; the target is what was left out. */
export function dropTokens({ noiseDensity, ...options }: NoiseOptions): Objective {
  return denoise({
    mask: masks.iidMask(noiseDensity),
    inputs: noise.dropNoise,
    targets: noise.keepNoise,
    ...options,
  })
}

/** A prefix of random length is read, the rest is the target. @param options.noiseDensity in (0, 0.5]. @default 0.5 */
export function prefixLanguageModel({ noiseDensity, ...options }: NoiseOptions): Objective {
  return denoise({
    mask: masks.randomPrefixMask(noiseDensity),
    inputs: noise.dropNoise,
    targets: noise.keepNoise,
    ...options,
  })
}

/** The text is read in random order; the target is the text. */
export function deshuffling(options: ObjectiveOptions): Objective {
  return denoise({ mask: masks.allNoise, inputs: noise.permuteNoise, targets: noise.fullText, ...options })
}

/** Nothing but EOS is read; the target is the text. */
export function languageModel(options: ObjectiveOptions): Objective {
  return denoise({ mask: masks.allNoise, inputs: noise.dropNoise, targets: noise.fullText, ...options })
}
