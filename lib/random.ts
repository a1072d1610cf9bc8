import { ConfigError, describe } from './errors.ts'

const multiplier0 = 0xd2511f53
const multiplier1 = 0xcd9e8d57
const weyl0 = 0x9e3779b9
const weyl1 = 0xbb67ae85

/** High 32 bits of the product of two unsigned 32-bit numbers, by halves, since a double holds 53 bits only. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0
}

/**
 * Philox 4x32-10, the counter-based generator of native/core/rng.h: four 32-bit words of a key and a counter.
 *
 * @param key (2) 32-bit words. @param counter (4) 32-bit words, replaced by the result.
 * @see Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3. https://doi.org/10.1145/2063384.2063405
 */
export function philox(key: Uint32Array, counter: Uint32Array): Uint32Array {
  let k0 = key[0] as number
  let k1 = key[1] as number
  let c0 = counter[0] as number
  let c1 = counter[1] as number
  let c2 = counter[2] as number
  let c3 = counter[3] as number
  for (let round = 0; round < 10; round++) {
    const high0 = highProduct(multiplier0, c0)
    const high1 = highProduct(multiplier1, c2)
    const low0 = Math.imul(multiplier0, c0) >>> 0
    const low1 = Math.imul(multiplier1, c2) >>> 0
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0
    k0 = (k0 + weyl0) >>> 0
    k1 = (k1 + weyl1) >>> 0
  }
  counter[0] = c0
  counter[1] = c1
  counter[2] = c2
  counter[3] = c3
  return counter
}

// Third word of the counter: what a block of words is for, so that no draw is ever the key of another stream.
const drawing = 0
const deriving = 1

/**
 * A stream of random numbers that is named, not shared: `at(epoch, index)` gives the stream of an example, the same one
 * whoever asks, in whatever order, and however many numbers were drawn elsewhere.
 */
export class Random {
  readonly #key: Uint32Array
  readonly #words = new Uint32Array(4)
  #drawn = 0

  /** @param seed a whole number in [0, 2^53). @throws {ConfigError} for another. */
  constructor(seed: number) {
    this.#key = wordsOf(seed, 'seed')
  }

  /** The stream of that name below this one; its numbers do not depend on how many were drawn from this one. */
  at(...path: readonly number[]): Random {
    return path.reduce((parent: Random, name) => parent.#child(name), this)
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const at = this.#drawn % 4
    if (at === 0) {
      const block = this.#drawn / 4
      this.#words.set([block >>> 0, Math.floor(block / 2 ** 32), drawing, 0])
      philox(this.#key, this.#words)
    }
    this.#drawn++
    return this.#words[at] as number
  }

  /** Uniform in (0, 1), with 32 bits. */
  uniform(): number {
    return (this.uint32() + 0.5) * 2 ** -32
  }

  /** Uniform in [0, limit), exactly: numbers of the incomplete last multiple of `limit` are drawn again. */
  below(limit: number): number {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > 2 ** 32) {
      throw new ConfigError(`random: expected a limit in [1, 2^32], got ${describe(limit)}`)
    }
    const complete = 2 ** 32 - (2 ** 32 % limit)
    let word = this.uint32()
    while (word >= complete) word = this.uint32()
    return word % limit
  }

  /** Brings the values into a uniformly random order, in place (Fisher and Yates). */
  shuffle<T extends { readonly length: number; [index: number]: unknown }>(values: T): T {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const value = values[i]
      values[i] = values[j]
      values[j] = value
    }
    return values
  }

  /** An index with probability in proportion to its weight. @param weights none negative, and not all 0. */
  weighted(weights: ArrayLike<number>): number {
    let total = 0
    for (let i = 0; i < weights.length; i++) total += weights[i] as number
    let rest = this.uniform() * total
    let last = 0
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] as number
      if (weight === 0) continue
      if (rest < weight) return i
      rest -= weight
      last = i
    }
    // Rounding can leave a rest after the last weight.
    return last
  }

  #child(name: number): Random {
    const [low, high] = wordsOf(name, 'a name of a stream') as unknown as [number, number]
    const stream = new Random(0)
    stream.#key.set(philox(this.#key, Uint32Array.of(low, high, deriving, 0)).subarray(0, 2))
    return stream
  }
}

function wordsOf(value: number, what: string): Uint32Array {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ConfigError(`random: expected ${what} to be a whole number in [0, 2^53), got ${describe(value)}`)
  }
  return Uint32Array.of(value >>> 0, Math.floor(value / 2 ** 32))
}
