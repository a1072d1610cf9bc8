import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errnoOf } from '../../checkpoint/files.ts'
import { publishFolder, staged } from '../../checkpoint/staging.ts'
import { CheckpointError, DataError } from '../../errors.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { reading } from '../sources/bytes.ts'
import { dataFiles, type RowOptions, readRows } from '../sources/read-rows.ts'
import { map } from '../stages.ts'
import type { Stream } from '../stream.ts'
import { column, tokenize, tokenizeLines } from '../tokenize.ts'
import { formatVersion } from './layout.ts'
import { TokenCache } from './token-cache.ts'
import { TokenCacheWriter } from './writer.ts'

/** Between calls of `onProgress`. */
const progressMs = 200

export interface CachedTokensOptions extends Omit<RowOptions, 'seed' | 'epochs'> {
  readonly tokenizer: Tokenizer
  /** Folder of caches; each is a folder in it, named by its key. */
  readonly cacheDir: string
  /** Column of the rows that holds the text. @default 'text' */
  readonly textColumn?: string
  /** Tokenizes each line of a document by itself and keeps them apart, as ELECTRA's segments need it. @default false */
  readonly byLine?: boolean
  readonly signal?: AbortSignal | undefined
  /** Told now and then how far it is. */
  readonly onProgress?: ((progress: { readonly documents: number; readonly tokens: number }) => void) | undefined
}

/**
 * The tokens of files, from a cache that is made when there is none: tokenizing happens once for the same tokenizer, the
 * same files (told by name, size and time of change) and the same way to read them. A cache that is not complete never
 * appears under its name.
 *
 * @param paths as `readRows` takes them. Each row is a document.
 * @throws as `readRows` and reading do; {DataError} if the cache cannot be written, or there is no token in the files; the
 *   signal's reason when it is aborted.
 */
export async function cachedTokens(
  paths: string | readonly string[],
  { tokenizer, cacheDir, textColumn = 'text', byLine = false, signal, onProgress, ...rowOptions }: CachedTokensOptions,
): Promise<TokenCache> {
  const files = await dataFiles(paths, rowOptions.format)
  const key = await keyOf(files, { tokenizer: tokenizer.fingerprint, textColumn, byLine, ...rowOptions })
  const folder = join(cacheDir, key)
  if (!existsSync(folder)) {
    const texts = (await readRows(files, rowOptions)).through(column(textColumn))
    const documents = byLine
      ? texts.through(tokenizeLines(tokenizer))
      : texts.through(tokenize(tokenizer)).through(map((ids) => [ids]))
    const fill = (writer: TokenCacheWriter) => write(documents, writer, { signal, onProgress })
    await make(cacheDir, key, tokenizer.length, fill)
  }
  return TokenCache.open(folder)
}

/** What the cache of these files, read and tokenized in this way, is called. */
async function keyOf(files: readonly string[], how: object): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify({ formatVersion, ...how }))
  for (const file of files) {
    const { size, mtimeMs } = await reading(file, () => stat(file))
    hash.update(JSON.stringify([basename(file), size, mtimeMs]))
  }
  return hash.digest('hex').slice(0, 32)
}

async function write(
  documents: Stream<Int32Array[]>,
  writer: TokenCacheWriter,
  { signal, onProgress }: Pick<CachedTokensOptions, 'signal' | 'onProgress'>,
): Promise<void> {
  let told = performance.now()
  for await (const document of documents) {
    signal?.throwIfAborted()
    await writer.add(document)
    if (performance.now() - told < progressMs) continue
    onProgress?.(writer.counts)
    told = performance.now()
  }
  onProgress?.(writer.counts)
  if (writer.counts.tokens === 0) throw new DataError('token cache: expected texts with tokens, got none')
}

/** Fills a new cache, which appears under its name when it is complete. One that was made meanwhile is as good. */
async function make(
  cacheDir: string,
  key: string,
  vocabSize: number,
  fill: (writer: TokenCacheWriter) => Promise<void>,
): Promise<void> {
  try {
    await mkdir(cacheDir, { recursive: true })
    await staged(cacheDir, async (folder) => {
      const writer = await TokenCacheWriter.create(folder, vocabSize)
      try {
        await fill(writer)
        await writer.finish(key)
      } finally {
        await writer.close()
      }
      await publishFolder(folder, join(cacheDir, key))
    })
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw new DataError(`token cache: expected to write to ${cacheDir}, got: ${error.message}`, { cause: error })
  }
}

function isSystemError(error: unknown): error is Error {
  return error instanceof CheckpointError || errnoOf(error) !== undefined
}
