import { fromFn, type NdArray } from './array.ts'

/** Philox 4×32-10 (Salmon et al. 2011), in big integers. */
export function philoxWords(key: bigint, counter: readonly bigint[]): bigint[] {
  const mask = 0xffffffffn
  let [k0, k1] = [key & mask, key >> 32n]
  let c = [...counter] as [bigint, bigint, bigint, bigint]
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c[0]
    const p1 = 0xcd9e8d57n * c[2]
    c = [(p1 >> 32n) ^ c[1] ^ k0, p1 & mask, (p0 >> 32n) ^ c[3] ^ k1, p0 & mask]
    k0 = (k0 + 0x9e3779b9n) & mask
    k1 = (k1 + 0xbb67ae85n) & mask
  }
  return c
}

export interface Sampling {
  seed: number
  site?: number
  step?: number
  temperature?: number
  disallowCorrect?: boolean
}

/** The uniform number of row i: its 32-bit word, in the middle of its step. */
export function uniformOf(row: number, { seed, site = 0, step = 0 }: Sampling): number {
  const words = philoxWords(BigInt(seed), [BigInt(Math.floor(row / 4)), 0n, BigInt(site), BigInt(step)])
  return (Number(words[row % 4]) + 0.5) / 2 ** 32
}

/** softmax(l / T), without the excluded token. */
export function probabilities(l: ArrayLike<number>, temperature = 1, excluded = -1): number[] {
  const kept = Array.from(l, (x, v) => (v === excluded ? -Infinity : x / temperature))
  const max = kept.reduce((a, b) => Math.max(a, b), -Infinity)
  const weights = kept.map((x) => Math.exp(x - max))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((w) => w / sum)
}

/** The id whose step of the cumulative distribution holds u, and how far u is from the step's nearer edge. */
export function inverseCdf(p: readonly number[], u: number): { id: number; margin: number } {
  let below = 0
  for (let id = 0; id < p.length; id++) {
    const above = below + p[id]!
    if (u < above) return { id, margin: Math.min(u - below, above - u) }
    below = above
  }
  return { id: p.findLastIndex((x) => x > 0), margin: 0 }
}

/** Corrupted ids, which of them are replaced, and the samples. */
export function replaceTokens(
  logits: NdArray,
  originalIds: NdArray,
  positions: NdArray,
  options: Sampling,
): [corruptedIds: NdArray, isReplaced: NdArray, sampledIds: NdArray] {
  const v = logits.shape[1]!
  const corrupted = fromFn(originalIds.shape, (i) => originalIds.data[i]!)
  const sampled = fromFn(positions.shape, (i) => {
    const excluded = options.disallowCorrect ? originalIds.data[positions.data[i]!]! : -1
    const row = logits.data.subarray(i * v, (i + 1) * v)
    return inverseCdf(probabilities(row, options.temperature, excluded), uniformOf(i, options)).id
  })
  positions.data.forEach((position, i) => {
    corrupted.data[position] = sampled.data[i]!
  })
  const isReplaced = fromFn(originalIds.shape, (i) => Number(corrupted.data[i] !== originalIds.data[i]))
  return [corrupted, isReplaced, sampled]
}
