import type { DeviceName } from '../device.ts'
import { Tensor } from '../tensor.ts'
import type { Init, ParameterSource } from './parameters.ts'

/**
 * New parameters from a seed. Each draws from a generator of its own, keyed by its path: adding a layer changes no other.
 */
export class RandomSource implements ParameterSource {
  readonly #seed: number
  readonly #options: { readonly device?: DeviceName }

  /** @param device where they are made. @default the default device */
  constructor(seed = 0, device?: DeviceName) {
    this.#seed = seed
    this.#options = device === undefined ? {} : { device }
  }

  load(path: string, shape: readonly number[], init: Init): Tensor {
    if (init.kind === 'constant') return Tensor.full(shape, init.value, this.#options)
    const size = shape.reduce((product, n) => product * n, 1)
    const values = gaussian(size, init.std, generator(this.#seed, path))
    if (init.zeroRow !== undefined) {
      const columns = shape[1] as number
      values.fill(0, init.zeroRow * columns, (init.zeroRow + 1) * columns)
    }
    return Tensor.from(values, { shape, ...this.#options })
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 2166136261
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619)
  return h >>> 0
}

/** sfc32, a small fast counting generator of 32-bit numbers. https://pracrand.sourceforge.net */
function generator(seed: number, path: string): () => number {
  let a = hash(path)
  let b = seed | 0
  let c = Math.floor(seed / 2 ** 32) | 0
  let counter = 1
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  // The first numbers still show the seed's pattern.
  for (let i = 0; i < 12; i++) next()
  return next
}

/** Box and Muller's pairs. */
function gaussian(size: number, std: number, next: () => number): Float32Array {
  const values = new Float32Array(size)
  for (let i = 0; i < size; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log((next() + 1) / 2 ** 32))
    const angle = (2 * Math.PI * next()) / 2 ** 32
    values[i] = radius * Math.cos(angle)
    if (i + 1 < size) values[i + 1] = radius * Math.sin(angle)
  }
  return values
}
