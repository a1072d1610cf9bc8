// Philox 4×32-10, written from Salmon et al. 2011 (section 3.3) in 64-bit integers, and the library's dropout contract.
import { fromFn, type NdArray, type Round } from './array.ts'

const mask = 0xffffffffn

export function philox(key: bigint, counter: readonly [bigint, bigint, bigint, bigint]): bigint[] {
  let [k0, k1] = [key & mask, key >> 32n]
  let [x0, x1, x2, x3] = counter
  for (let round = 0; round < 10; round++) {
    const p0 = x0 * 0xd2511f53n
    const p1 = x2 * 0xcd9e8d57n
    ;[x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & mask, (p0 >> 32n) ^ x3 ^ k1, p0 & mask]
    k0 = (k0 + 0x9e3779b9n) & mask
    k1 = (k1 + 0xbb67ae85n) & mask
  }
  return [x0, x1, x2, x3]
}

export interface DropoutAt {
  readonly dropoutP: number
  readonly seed: number
  readonly site: number
  readonly step: number
}

/** The 16-bit draw of element `index`. */
export function draw(at: DropoutAt, index: number): number {
  const group = BigInt(index) / 8n
  const words = philox(BigInt(at.seed), [group & mask, group >> 32n, BigInt(at.site), BigInt(at.step)])
  const word = Number(words[Math.floor((index % 8) / 2)])
  return index % 2 === 0 ? word & 0xffff : word >>> 16
}

/** What element `index` is multiplied by: 0 when its draw is below round(p·65536), else what keeps the mean. */
export function dropoutFactor(at: DropoutAt, index: number): number {
  const threshold = Math.round(at.dropoutP * 65536)
  return draw(at, index) < threshold ? 0 : 65536 / (65536 - threshold)
}

/** The factors of rows × last dimension, every row starting at a multiple of eight. */
export function dropoutFactors(shape: readonly number[], at: DropoutAt): NdArray {
  const columns = shape.at(-1) ?? 1
  return fromFn(shape, (i) => dropoutFactor(at, Math.floor(i / columns) * Math.ceil(columns / 8) * 8 + (i % columns)))
}

export function dropout(x: NdArray, at: DropoutAt, r: Round): NdArray {
  const factors = dropoutFactors(x.shape, at)
  return fromFn(x.shape, (i) => (factors.data[i] === 0 ? 0 : r(x.data[i]! * r(factors.data[i]!))))
}
