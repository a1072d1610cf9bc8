import type { KeyMap } from '../checkpoint/names.ts'
import type { SafetensorsFile } from '../checkpoint/safetensors.ts'
import type { DeviceName } from '../device.ts'
import { type DType, isFloat } from '../dtype.ts'
import { CheckpointError } from '../errors.ts'
import { type Init, type ParameterSource, RandomSource } from '../nn/index.ts'
import * as ops from '../ops/index.ts'
import { scope } from '../scope.ts'
import type { Tensor } from '../tensor.ts'

export interface CheckpointSourceOptions {
  readonly names: KeyMap
  readonly dtype: DType
  /** Paths of a head, which starts from random numbers where the file is one of a model without it. */
  readonly head: RegExp | null
  /** Of those random numbers. */
  readonly seed: number
  readonly device: DeviceName
}

/** Parameters out of a file, whichever of their names it uses. */
export class CheckpointSource implements ParameterSource {
  /** Names of the parameters that the file does not have. */
  readonly missing: string[] = []
  readonly #random: RandomSource
  readonly #used = new Set<string>()

  constructor(
    private readonly file: SafetensorsFile,
    private readonly options: CheckpointSourceOptions,
  ) {
    this.#random = new RandomSource(options.seed, options.device)
  }

  has(path: string): boolean {
    return this.#find(path) !== null
  }

  load(path: string, shape: readonly number[], init: Init): Tensor {
    const name = this.#find(path)
    if (name !== null) return this.#read(name, shape)
    const { names, head } = this.options
    const missing = names.nameOf(path)
    if (!head?.test(path))
      throw new CheckpointError(`fromPretrained: expected ${missing} in ${this.file.path}, got none`)
    this.missing.push(missing)
    return this.#random.load(path, shape, init)
  }

  /** Whether two tensors of the file are there and hold the same numbers. Marks both as used when they do. */
  async equal(a: string, b: string): Promise<boolean> {
    const [first, second] = [this.#find(a), this.#find(b)]
    if (first === null || second === null) return false
    const { shape } = this.file.info(first)
    if (shape.join() !== this.file.info(second).shape.join()) return false
    using other = this.file.load(second, { dtype: 'float32' })
    if ((await this.#differenceFrom(first, other)) !== 0) return false
    this.#used.add(first).add(second)
    return true
  }

  /**
   * Checks parameters that are another model's: where the file has them, too, it must hold the same numbers.
   *
   * @param shared by their names in files.
   * @throws {CheckpointError} for one that differs.
   */
  async expectEqual(shared: ReadonlyMap<string, Tensor>): Promise<void> {
    for (const [wanted, tensor] of shared) {
      const name = [wanted, ...this.options.names.aliasesOf(wanted)].find((alias) => this.file.has(alias))
      if (name === undefined) continue
      const { shape } = this.file.info(name)
      const difference = shape.join() === tensor.shape.join() ? await this.#differenceFrom(name, tensor) : Number.NaN
      this.#used.add(name)
      if (difference === 0) continue
      const got = Number.isNaN(difference) ? 'another' : `one that differs by up to ${difference}`
      throw new CheckpointError(
        `fromPretrained: expected ${name} of ${this.file.path} to be the tensor that it is shared as, got ${got} (without sharing, both are kept)`,
      )
    }
  }

  /** The largest |difference| between a tensor of the file and one of the same shape. */
  async #differenceFrom(name: string, other: Tensor): Promise<number> {
    using difference = scope(() => {
      const own = this.file.load(name, { dtype: other.dtype, device: other.device })
      return ops.max(ops.abs(ops.sub(own, other.detach())))
    })
    return difference.item()
  }

  /** Names of tensors of the file that nothing reads, but for those that are known to be left over. */
  unexpected(): string[] {
    return this.file.names().filter((name) => !this.#used.has(name) && !this.options.names.isIgnored(name))
  }

  #find(path: string): string | null {
    const { names } = this.options
    const name = names.nameOf(path)
    return [name, ...names.aliasesOf(name)].find((alias) => this.file.has(alias)) ?? null
  }

  #read(name: string, shape: readonly number[]): Tensor {
    const info = this.file.info(name)
    const fits = info.shape.join() === shape.join() && info.dtype !== null && isFloat(info.dtype)
    if (!fits) {
      throw new CheckpointError(
        `fromPretrained: expected ${name} of ${this.file.path} to be floats (${shape.join(', ')}), as config.json says, got ${info.storedDtype} (${info.shape.join(', ')})`,
      )
    }
    this.#used.add(name)
    return this.file.load(name, { dtype: this.options.dtype, device: this.options.device })
  }
}
