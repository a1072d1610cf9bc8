import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError } from '../errors.ts'

const optionalFiles = ['tokenizer_config.json', 'special_tokens_map.json'] as const

/** @internal The files of a tokenizer by name, as bytes: saving writes what was read. */
export type TokenizerFiles = ReadonlyMap<string, Buffer>

/** @internal Of tokenizers that are not fast: what they hold is turned into a tokenizer.json by Hugging Face's library. */
const slowFiles = ['spiece.model', 'sentencepiece.bpe.model', 'tokenizer.model', 'vocab.txt', 'vocab.json']

/**
 * @internal
 * @throws {CheckpointError} if the folder has no tokenizer.json, or a file cannot be read.
 */
export async function readFiles(folder: string): Promise<TokenizerFiles> {
  if (!existsSync(join(folder, 'tokenizer.json'))) throw new CheckpointError(missing(folder))
  const names = ['tokenizer.json', ...optionalFiles.filter((name) => existsSync(join(folder, name)))]
  try {
    return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)))
  } catch (error) {
    throw new CheckpointError(`tokenizer: expected ${names.join(', ')} in ${folder}, got: ${(error as Error).message}`)
  }
}

function missing(folder: string): string {
  const slow = slowFiles.find((name) => existsSync(join(folder, name)))
  if (!slow)
    return `tokenizer: expected tokenizer.json in ${folder}, got none; copy the model's tokenizer there, or save one with savePretrained`
  return `tokenizer: expected tokenizer.json in ${folder}, got ${slow} alone; Python's AutoTokenizer.from_pretrained(folder).save_pretrained(folder) makes one of it`
}

/** @internal Writes all files or none: each under another name first, then all are renamed. */
export async function writeFiles(folder: string, files: TokenizerFiles): Promise<void> {
  const suffix = `.${randomUUID()}.tmp`
  const paths = [...files.keys()].map((name) => join(folder, name))
  try {
    await mkdir(folder, { recursive: true })
    await Promise.all([...files.values()].map((bytes, i) => writeFile(paths[i] + suffix, bytes, { flush: true })))
    for (const path of paths) await rename(path + suffix, path)
  } catch (error) {
    await Promise.all(paths.map((path) => rm(path + suffix, { force: true })))
    throw new CheckpointError(`tokenizer: expected to write to ${folder}, got: ${(error as Error).message}`)
  }
}
