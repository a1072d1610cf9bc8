import { basename, dirname, join, resolve } from 'node:path'
import { noGrad } from '../autograd/grad-mode.ts'
import { type DType, dtypeIndex, isFloat } from '../dtype.ts'
import { CheckpointError, ConfigError, DTypeError, describe, StateError } from '../errors.ts'
import { addon } from '../native/load.ts'
import { contiguous } from '../ops/view.ts'
import { keep } from '../scope.ts'
import { Tensor } from '../tensor.ts'
import { expecting, writeNewFile } from './files.ts'
import { publishFiles, staged, withParent } from './staging.ts'

export type NamedTensors = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>

export interface SafetensorsOptions {
  /** Element type of floats in the file, rounded to nearest even; integers stay as they are. @default each tensor's own */
  dtype?: 'float32' | 'float16' | 'bfloat16'
  /** Free text for the file's header. @default { format: 'pt' }, which Hugging Face libraries ask for */
  metadata?: Readonly<Record<string, string>>
  /** Gives up between two tensors; what was there before stays. */
  signal?: AbortSignal
}

/** @internal A tensor on its way to a file, under a handle of our own. */
export interface Outgoing {
  readonly name: string
  readonly tensor: Tensor
  readonly dtype: DType
  readonly bytes: number
  /** The contents' version when saving began. */
  readonly version: number
}

// As the format spells them, with their sizes.
const storedDtypes: Readonly<Record<DType, readonly [name: string, bytes: number]>> = {
  float32: ['F32', 4],
  float16: ['F16', 2],
  bfloat16: ['BF16', 2],
  int32: ['I32', 4],
  uint8: ['U8', 1],
  int8: ['I8', 1],
}

/**
 * Saves tensors as one safetensors file, which appears whole or not at all: an older file of that name stays until the
 * new one is on the disk. Elements go from tensor memory to the file on the queue's thread, a few megabytes at a time.
 *
 * @param tensors any number, by name; they may be disposed of at once, but not updated before the promise is kept.
 * @throws {CheckpointError} if the system does not take it (a full disk, no permission), or a name is none.
 * @throws {StateError} if a tensor was updated in place while it was saved.
 * @see https://github.com/huggingface/safetensors#format
 */
export async function saveSafetensors(
  path: string,
  tensors: NamedTensors,
  { dtype, metadata = { format: 'pt' }, signal }: SafetensorsOptions = {},
): Promise<void> {
  const target = resolve(path)
  await withOutgoing(tensors, dtype, (outgoing) =>
    expecting(`to write ${path}`, () =>
      withParent(target, (parent) =>
        staged(parent, async (files) => {
          const name = basename(target)
          await writeSafetensors(join(files, name), outgoing, metadata, signal)
          await publishFiles(files, dirname(target), [name], () => false, signal)
        }),
      ),
    ),
  )
}

/** @internal Runs `save` with the tensors in the order of their names; they are held until it is done. */
export async function withOutgoing<T>(
  tensors: NamedTensors,
  dtype: SafetensorsOptions['dtype'],
  save: (outgoing: readonly Outgoing[]) => Promise<T>,
): Promise<T> {
  if (dtype !== undefined && !isFloat(dtype)) {
    throw new ConfigError(`safetensors: expected dtype to be float32, float16 or bfloat16, got ${describe(dtype)}`)
  }
  const outgoing: Outgoing[] = []
  try {
    const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Record<string, Tensor>)
    for (const [name, tensor] of entries) outgoing.push(outgoingOf(name, tensor, dtype))
    return await save(outgoing.sort((a, b) => compareBytes(a.name, b.name)))
  } finally {
    for (const { tensor } of outgoing) tensor.dispose()
  }
}

function outgoingOf(name: string, tensor: Tensor, dtype: SafetensorsOptions['dtype']): Outgoing {
  if (!(tensor instanceof Tensor)) {
    throw new DTypeError(`safetensors: expected ${JSON.stringify(name)} to be a Tensor, got ${describe(tensor)}`)
  }
  // Half of a surrogate pair has no UTF-8, and this one name means something else.
  if (Buffer.from(name).toString() !== name || name === '__metadata__') {
    throw new CheckpointError(`safetensors: expected names that a file can hold, got ${JSON.stringify(name)}`)
  }
  const own = dense(tensor)
  const stored = dtype && isFloat(own.dtype) ? dtype : own.dtype
  return { name, tensor: own, dtype: stored, bytes: own.size * storedDtypes[stored][1], version: own.contents.version }
}

/** A handle of our own on the same contents; on a copy where they have gaps. */
function dense(tensor: Tensor): Tensor {
  const own = tensor.detach()
  const result = noGrad(() => contiguous(own))
  if (result !== own) own.dispose()
  return keep(result)
}

// As the format's own library sorts: by the bytes of UTF-8.
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** @internal Makes one new file; its contents are on the disk when this returns. */
export function writeSafetensors(
  path: string,
  tensors: readonly Outgoing[],
  metadata: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  // Larger elements first, so that all are aligned to their size.
  const inOrder = [...tensors].sort((a, b) => storedDtypes[b.dtype][1] - storedDtypes[a.dtype][1])
  const header = headerOf(inOrder, metadata)
  return writeNewFile(path, header, async () => {
    let offset = header.length
    for (const { name, tensor, dtype, bytes, version } of inOrder) {
      signal?.throwIfAborted()
      if (tensor.contents.version !== version) {
        throw new StateError(
          `safetensors: expected tensor ${JSON.stringify(name)} to stay as it is until it is saved, got an update`,
        )
      }
      if (bytes > 0) await addon.writeTensor(tensor.handle, dtypeIndex(dtype), path, offset)
      offset += bytes
    }
  })
}

/** Length and JSON, padded with spaces so that the data begins at a multiple of eight. */
function headerOf(tensors: readonly Outgoing[], metadata: Readonly<Record<string, string>>): Buffer {
  let at = 0
  const members = tensors.map(({ name, tensor, dtype, bytes }) => {
    const entry = { dtype: storedDtypes[dtype][0], shape: tensor.shape, data_offsets: [at, at + bytes] }
    at += bytes
    return `${JSON.stringify(name)}:${JSON.stringify(entry)}`
  })
  const text = Buffer.from(`{${[`"__metadata__":${JSON.stringify(metadata)}`, ...members].join()}}`)
  const header = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ')
  header.writeBigUInt64LE(BigInt(header.length - 8))
  text.copy(header, 8)
  return header
}
