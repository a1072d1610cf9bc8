import { ConfigError, describe } from '../../errors.ts'

/** To the nearest whole number; of two, to the even one, as Python, NumPy and TensorFlow round. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor
}

export interface SpanOptions {
  /** Part of the tokens that is noise, in (0, 1). @default 0.15 */
  readonly noiseDensity?: number | undefined
  /** Mean length of a noise span in tokens, at least 1. @default 3 */
  readonly meanNoiseSpanLength?: number | undefined
}

export interface SegmentLengths {
  /** Tokens that a text is cut into. */
  readonly segmentLength: number
  /** Tokens of the targets that such a segment gives, EOS included. */
  readonly targetLength: number
}

/**
 * How long segments are to be, so that span corruption makes inputs of a given length of them.
 *
 * @param inputLength tokens of the inputs, sentinels and EOS included; at least 3.
 * @see Raffel et al. 2020, section 3.1.4. https://arxiv.org/abs/1910.10683
 */
export function spanCorruptionLengths(inputLength: number, options: SpanOptions = {}): SegmentLengths {
  const { noiseDensity, meanNoiseSpanLength } = checkedSpans(options)
  const lengths = (tokens: number) => {
    const { noise, spans } = spanCounts(tokens, noiseDensity, meanNoiseSpanLength)
    return { input: tokens - noise + spans + 1, target: noise + spans + 1 }
  }
  const segmentLength = longestFitting(inputLength, inputLength - 1, (tokens) => lengths(tokens).input)
  const { target } = lengths(segmentLength)
  // At one half, rounding can make the targets the longer part; the published lengths avoid that.
  if (noiseDensity === 0.5 && target > inputLength)
    return { segmentLength: segmentLength - 1, targetLength: target - 1 }
  return { segmentLength, targetLength: target }
}

/**
 * How long segments are to be, so that copying (see `copying`) makes inputs of at most a given length of them.
 *
 * @param inputLength tokens of the inputs, marks and EOS included; at least 5.
 */
export function copyingLengths(inputLength: number, options: SpanOptions = {}): SegmentLengths {
  const { noiseDensity, meanNoiseSpanLength } = checkedSpans(options)
  const counts = (tokens: number) => maskCounts(tokens, noiseDensity, meanNoiseSpanLength)
  const segmentLength = longestFitting(inputLength, 2, (tokens) => tokens + 2 * counts(tokens).spans + 1)
  const { noise, spans } = counts(segmentLength)
  return { segmentLength, targetLength: noise + spans + 1 }
}

/** Noise tokens and spans that a length asks for, before it is seen to that there is at least one of each. */
function spanCounts(length: number, density: number, meanLength: number): { noise: number; spans: number } {
  const noise = roundHalfEven(length * density)
  return { noise, spans: roundHalfEven(noise / meanLength) }
}

/**
 * Noise tokens and spans of a mask of `length` tokens: at least one of each, at least one token that is no noise, and no
 * more spans than there are tokens to separate them.
 */
export function maskCounts(length: number, density: number, meanLength: number): { noise: number; spans: number } {
  const noise = Math.min(Math.max(roundHalfEven(length * density), 1), length - 1)
  const spans = Math.max(roundHalfEven(noise / meanLength), 1)
  return { noise, spans: Math.min(spans, length - noise) }
}

/** The last of the lengths from `start` upwards, up to the first that does not fit. */
function longestFitting(limit: number, start: number, inputOf: (tokens: number) => number): number {
  if (!Number.isSafeInteger(limit) || start < 1 || inputOf(start) > limit) {
    throw new ConfigError(`objective: expected an inputLength that a segment fits in, got ${describe(limit)}`)
  }
  let tokens = start
  while (inputOf(tokens + 1) <= limit) tokens++
  return tokens
}

/** Fills the defaults in. @throws {ConfigError} for what is out of range. */
export function checkedSpans({ noiseDensity = 0.15, meanNoiseSpanLength = 3 }: SpanOptions): {
  noiseDensity: number
  meanNoiseSpanLength: number
} {
  if (!(meanNoiseSpanLength >= 1 && meanNoiseSpanLength < Infinity)) {
    throw new ConfigError(`objective: expected meanNoiseSpanLength >= 1, got ${describe(meanNoiseSpanLength)}`)
  }
  return { noiseDensity: checkedDensity(noiseDensity), meanNoiseSpanLength }
}

/** @throws {ConfigError} unless it is in (0, 1). */
export function checkedDensity(noiseDensity: number): number {
  if (noiseDensity > 0 && noiseDensity < 1) return noiseDensity
  throw new ConfigError(`objective: expected noiseDensity in (0, 1), got ${describe(noiseDensity)}`)
}
