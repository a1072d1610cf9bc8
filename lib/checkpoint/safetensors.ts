import { type DType, dtypeIndex, dtypes } from '../dtype.ts'
import { CheckpointError, describe, StateError } from '../errors.ts'
import { type DeviceName, deviceNumber } from '../native/devices.ts'
import { addon, type StoredTensor } from '../native/load.ts'
import { newContents, Tensor } from '../tensor.ts'

/** A tensor as its file describes it. */
export interface TensorInfo {
  readonly name: string
  /** Element type in the file, as the format spells it: `F32`, `BF16`, `I64`, … */
  readonly storedDtype: string
  /** What `load` makes of it by default; null for types that it does not read (unsigned 16 to 64 bits, 8-bit floats). */
  readonly dtype: DType | null
  readonly shape: readonly number[]
}

// A checkpoint that nobody holds any more is closed when the collector finds it; `close` does so at once.
const collected = new FinalizationRegistry<number>((checkpoint) => addon.closeCheckpoint(checkpoint))

/**
 * The tensors of a safetensors checkpoint: one file, or shards with their index. Files are mapped, not read: opening
 * checks all headers, and loading a tensor copies its bytes when the queue gets there.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
export class SafetensorsFile {
  /** Free text of the file's header (of the first shard's): usually `{ format: 'pt' }`. */
  readonly metadata: ReadonlyMap<string, string>
  readonly #infos: ReadonlyMap<string, TensorInfo>
  readonly #checkpoint: number
  #closed = false

  private constructor(readonly path: string) {
    const { number, tensors, metadata } = addon.openCheckpoint(path)
    this.#checkpoint = number
    this.#infos = new Map(tensors.map((tensor) => [tensor.name, infoOf(tensor)]))
    this.metadata = new Map(metadata.flatMap((key, i) => (i % 2 === 0 ? [[key, metadata[i + 1] as string]] : [])))
    collected.register(this, number, this)
  }

  /**
   * @param path a `.safetensors` file, a `.safetensors.index.json` with its shards beside it, or a folder that has
   *   `model.safetensors` or else `model.safetensors.index.json`.
   * @throws {CheckpointError} for a file that is missing or malformed anywhere in its header, with file and tensor.
   */
  static open(path: string): SafetensorsFile {
    if (typeof path !== 'string' || path.includes('\0')) {
      throw new CheckpointError(`safetensors: expected a path, got ${describe(path)}`)
    }
    return new SafetensorsFile(path)
  }

  /** Names of all tensors, sorted by their bytes. */
  names(): string[] {
    return [...this.#infos.keys()]
  }

  has(name: string): boolean {
    return this.#infos.has(name)
  }

  /** @throws {CheckpointError} if there is no tensor of that name. */
  info(name: string): TensorInfo {
    const info = this.#infos.get(name)
    if (!info) throw new CheckpointError(`safetensors: expected a tensor of ${this.path}, got ${JSON.stringify(name)}`)
    return info
  }

  /**
   * Queues the reading of a tensor.
   *
   * @param options.dtype floats convert to any float, rounding to nearest even; integers to any integer that holds all
   *   of the values. @default F64 as float32, I64 as int32, BOOL as uint8, others as they are
   * @param options.device where the tensor lies. @default the default device
   * @returns a tensor of its own; it may be used after `close`.
   * @throws {CheckpointError} if there is no such tensor, or its type is one that is not read; at the next wait, if an
   *   integer does not fit or the file was cut after it was opened.
   * @throws {DTypeError} for a float as an integer, or the other way round.
   */
  load(name: string, { dtype, device }: { dtype?: DType; device?: DeviceName } = {}): Tensor {
    if (this.#closed) throw new StateError(`safetensors: expected ${this.path} to be open, got a closed one`)
    const info = this.info(name)
    const target = dtype ?? info.dtype
    if (!target) {
      throw new CheckpointError(
        `safetensors: expected tensor ${JSON.stringify(name)} of ${this.path} in a dtype that can be read, got ${info.storedDtype}`,
      )
    }
    const on = deviceNumber(device)
    const handle = addon.loadTensor(this.#checkpoint, name, dtypeIndex(target), on)
    return new Tensor(handle, target, info.shape, newContents(on))
  }

  /** Gives the files back once what was queued has read them. Doing it twice does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    collected.unregister(this)
    addon.closeCheckpoint(this.#checkpoint)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function infoOf({ name, dtype, native, shape }: StoredTensor): TensorInfo {
  return { name, storedDtype: dtype, dtype: dtypes[native] ?? null, shape }
}
