// A model's folder in the layout of the Hugging Face libraries: config.json and others, safetensors, whole or in shards.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { errnoOf, expecting } from './files.ts'
import { type JsonFile, parseJson } from './json.ts'
import { SafetensorsFile } from './safetensors.ts'
import { indexName, weightsName } from './weight-files.ts'

/** As much of a JSON file as is read: larger than any tokenizer's. */
const maxJsonBytes = 200_000_000

const convert = 'in Python, load it with transformers and call save_pretrained(folder), which writes safetensors'
/** Weights that other libraries write, and what to do about them. */
export const unreadFormats: Readonly<Record<string, string>> = {
  'pytorch_model.bin': convert,
  'pytorch_model.bin.index.json': convert,
  'tf_model.h5': `${convert} (from_tf=True, transformers 4)`,
  'flax_model.msgpack': `${convert} (from_flax=True, transformers 4)`,
}

/**
 * Reads a JSON file of a model folder.
 *
 * @throws {CheckpointError} if it is missing, unreadable, not UTF-8, or not a JSON object.
 */
export async function readJson(folder: string, name: string): Promise<JsonFile> {
  const file = await readOptionalJson(folder, name)
  if (file) return file
  throw new CheckpointError(`checkpoint: expected ${name} in ${folder}, got none: is that a model's folder?`)
}

/** As `readJson`, but null if there is no file of that name. */
export async function readOptionalJson(folder: string, name: string): Promise<JsonFile | null> {
  const path = join(folder, name)
  let bytes: Buffer
  try {
    const { size } = await stat(path)
    if (size > maxJsonBytes) {
      throw new CheckpointError(`checkpoint: expected at most ${maxJsonBytes} bytes in ${path}, got ${size}`)
    }
    bytes = await readFile(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    return expecting(`to read ${path}`, () => Promise.reject(error))
  }
  return parseJson(decode(bytes, path), path)
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new CheckpointError(`${path}: expected UTF-8, got other bytes`, { cause })
  }
}

/**
 * The weights of a model folder.
 *
 * @throws {CheckpointError} if there are none, if they are malformed, or in a format that is not read.
 */
export async function openWeights(folder: string): Promise<SafetensorsFile> {
  for (const name of [weightsName, indexName]) {
    if (await exists(join(folder, name))) return SafetensorsFile.open(join(folder, name))
  }
  for (const [name, advice] of Object.entries(unreadFormats)) {
    if (await exists(join(folder, name))) {
      throw new CheckpointError(`checkpoint: expected ${weightsName} in ${folder}, got only ${name}: ${advice}`)
    }
  }
  throw new CheckpointError(`checkpoint: expected ${weightsName} or ${indexName} in ${folder}, got neither`)
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
