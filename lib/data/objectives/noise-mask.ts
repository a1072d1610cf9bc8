import { ConfigError, describe } from '../../errors.ts'
import type { Random } from '../../random.ts'
import { checkedDensity, checkedSpans, maskCounts, roundHalfEven, type SpanOptions } from './lengths.ts'

/** Says which of `length` tokens are noise: 1 where they are. */
export type NoiseMask = (length: number, random: Random) => Uint8Array

/** Each token by itself, with probability `noiseDensity`. */
export function iidMask(noiseDensity = 0.15): NoiseMask {
  checkedDensity(noiseDensity)
  return (length, random) => Uint8Array.from({ length }, () => Number(random.uniform() < noiseDensity))
}

export interface SpanMaskOptions extends SpanOptions {
  /** Rotates the mask by a random number of tokens, so that a text need not start with what is kept. @default false */
  readonly randomRoll?: boolean | undefined
}

/**
 * Random spans, T5's noise: their number and the number of noise tokens follow from the length, their places are random.
 * Without `randomRoll` the mask starts with a kept token and ends with a noise token; a single token is kept.
 */
export function spanMask({ randomRoll = false, ...options }: SpanMaskOptions = {}): NoiseMask {
  const { noiseDensity, meanNoiseSpanLength } = checkedSpans(options)
  return (length, random) => {
    if (length < 2) return new Uint8Array(length)
    const { noise, spans } = maskCounts(length, noiseDensity, meanNoiseSpanLength)
    const noiseLengths = composition(noise, spans, random)
    const keptLengths = composition(length - noise, spans, random)
    const roll = randomRoll ? random.below(length) : 0
    const mask = new Uint8Array(length)
    let at = roll
    for (let span = 0; span < spans; span++) {
      at += keptLengths[span] as number
      for (let i = noiseLengths[span] as number; i > 0; i--) mask[at++ % length] = 1
    }
    return mask
  }
}

/** Splits `total` into `parts` positive numbers; every way to do so is equally likely. */
export function composition(total: number, parts: number, random: Random): Int32Array {
  const startsPart = random.shuffle(new Uint8Array(total - 1).fill(1, 0, parts - 1))
  const lengths = new Int32Array(parts)
  let part = 0
  for (let i = 0; i < total; i++) {
    if (i > 0 && startsPart[i - 1] === 1) part++
    lengths[part] = (lengths[part] as number) + 1
  }
  return lengths
}

/** Spans of one length, drawn from 1 to 5 for each text, at regular distances from a random start. */
export function regularSpansMask(noiseDensity = 0.15): NoiseMask {
  checkedDensity(noiseDensity)
  return (length, random) => {
    const spanLength = 1 + random.below(5)
    const period = roundHalfEven(spanLength / noiseDensity)
    const offset = random.below(period)
    return Uint8Array.from({ length }, (_, i) => Number((i + offset) % period < spanLength))
  }
}

/**
 * All after a prefix of random length is noise: `noiseDensity` of the tokens in the mean. Both parts have at least one
 * token; a single token is kept.
 *
 * @param noiseDensity in (0, 0.5].
 */
export function randomPrefixMask(noiseDensity = 0.5): NoiseMask {
  if (checkedDensity(noiseDensity) > 0.5) {
    throw new ConfigError(`objective: expected noiseDensity in (0, 0.5], got ${describe(noiseDensity)}`)
  }
  return (length, random) => {
    if (length < 2) return new Uint8Array(length)
    const shortest = Math.max(1, roundHalfEven((1 - 2 * noiseDensity) * (length - 1)))
    return new Uint8Array(length).fill(1, shortest + random.below(length - shortest))
  }
}

/** All after a prefix that is a given part of the text. Both parts have at least one token; a single token is kept. */
export function fixedPrefixMask(noiseDensity: number): NoiseMask {
  checkedDensity(noiseDensity)
  return (length) => {
    const noise = Math.max(1, roundHalfEven(length * noiseDensity))
    return new Uint8Array(length).fill(1, Math.max(1, length - noise))
  }
}

/** All tokens. */
export const allNoise: NoiseMask = (length) => new Uint8Array(length).fill(1)
