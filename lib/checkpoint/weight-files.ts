// How weights are spread over files: one, or shards with an index.
import { CheckpointError, ConfigError, describe } from '../errors.ts'
import { formatJson, type JsonObject } from './json.ts'
import type { Outgoing } from './safetensors-writer.ts'

export const weightsName = 'model.safetensors'
export const indexName = `${weightsName}.index.json`

/** Whether a file of this name is one that holds weights, whole or sharded, or their index. */
export function isWeightsName(name: string): boolean {
  return /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name)
}

export interface WeightFiles {
  /** What goes into each file. */
  readonly files: ReadonlyMap<string, readonly Outgoing[]>
  /** Text of the index; null for a single file. */
  readonly index: string | null
}

/** Fills one file after the other up to `maxBytes`; a tensor larger than that has a file of its own. */
export function planWeights(tensors: readonly Outgoing[], maxBytes: number): WeightFiles {
  const shards: Outgoing[][] = [[]]
  let room = maxBytes
  for (const tensor of tensors) {
    if (tensor.bytes > room && shards.at(-1)?.length !== 0) {
      shards.push([])
      room = maxBytes
    }
    shards.at(-1)?.push(tensor)
    room -= tensor.bytes
  }
  if (shards.length === 1) return { files: new Map([[weightsName, tensors]]), index: null }
  const number = (n: number) => String(n).padStart(5, '0')
  const files = new Map(
    shards.map((shard, i) => [`model-${number(i + 1)}-of-${number(shards.length)}.safetensors`, shard]),
  )
  return { files, index: indexOf(files) }
}

function indexOf(files: ReadonlyMap<string, readonly Outgoing[]>): string {
  const total = { total_parameters: 0, total_size: 0 }
  // Without a prototype: a tensor may have any name.
  const weightMap: Record<string, string> = Object.create(null)
  for (const [file, tensors] of files) {
    for (const { name, tensor, bytes } of tensors) {
      total.total_parameters += tensor.size
      total.total_size += bytes
      weightMap[name] = file
    }
  }
  return formatJson({ metadata: total, weight_map: weightMap })
}

/** The files that an index names, each once. @throws {CheckpointError} if it has none, or one that is not beside it. */
export function shardNamesOf(index: JsonObject, path: string): string[] {
  const map = index.weight_map
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new CheckpointError(`${path}: expected a weight_map, got ${describe(map)}`)
  }
  const names = [...new Set(Object.values(map as JsonObject))]
  const bad = names.find((name) => typeof name !== 'string' || !isPlainName(name))
  if (bad === undefined) return names as string[]
  throw new CheckpointError(`${path}: expected shards that are plain file names, got ${describe(bad)}`)
}

/** Whether a name stays in the folder that it is looked up in. */
export function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name)
}

const units: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 }
const binaryUnits: Readonly<Record<string, number>> = { KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 }

/** Bytes of a size as the Hugging Face libraries write it. @throws {ConfigError} for anything else. */
export function bytesOfSize(size: number | string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B)$/i.exec(String(size)) ?? []
  const factor = { ...units, ...binaryUnits }[unit?.toUpperCase() ?? '']
  const bytes = typeof size === 'number' ? size : Math.floor(Number(digits) * (factor ?? Number.NaN))
  if (bytes >= 1 && Number.isFinite(bytes)) return bytes
  throw new ConfigError(`maxShardSize: expected bytes or a text such as '5GB' or '200MiB', got ${describe(size)}`)
}
