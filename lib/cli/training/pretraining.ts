// What pre-training both families has in common: flags, tokenizer, held-out data, schedule of a run.
import { join } from 'node:path'
import { cachedTokens, dataFiles, type FormatName, type TextUnit, type TokenCache } from '../../data/index.ts'
import { ConfigError, DataError } from '../../errors.ts'
import type { ConfigJson } from '../../models/config.ts'
import { AutoTokenizer } from '../../models/index.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import type { Console } from '../console.ts'
import { runFiles } from './folder.ts'
import { parsed } from './settings.ts'

export interface CorpusSettings {
  readonly out: string
  readonly format?: FormatName | undefined
  readonly unit?: TextUnit | undefined
  readonly textColumn?: string
}

/** Where the data of a run is. */
export interface DataSettings {
  readonly train: readonly string[]
  readonly eval?: readonly string[]
  readonly format?: FormatName | undefined
}

/** The tokens of files, from the cache in the run's folder, with progress. */
export function corpusOf(
  paths: readonly string[],
  tokenizer: Tokenizer,
  byLine: boolean,
  { out, format, unit, textColumn }: CorpusSettings,
  console: Console,
): Promise<TokenCache> {
  return cachedTokens(paths, {
    ...{ tokenizer, byLine, cacheDir: join(out, runFiles.cache), signal: console.signal },
    ...{ format, unit },
    ...(textColumn === undefined ? {} : { textColumn }),
    onProgress: ({ documents, tokens }) =>
      console.progress(
        () => `tokenizing: ${documents.toLocaleString('en')} documents, ${tokens.toLocaleString('en')} tokens`,
      ),
  })
}

/** Tells before anything is written that files are not there. @throws {DataError} that names one. */
export async function expectFiles({ train, eval: heldOut, format }: DataSettings): Promise<void> {
  for (const paths of [train, heldOut ?? []]) if (paths.length > 0) await dataFiles(paths, format)
}

/** Texts of the files, one after the other, to learn a vocabulary from. */
export async function* textsOf(
  paths: readonly string[],
  { format, unit, textColumn = 'text' }: Omit<CorpusSettings, 'out'>,
  console: Console,
): AsyncGenerator<string> {
  const { readRows } = await import('../../data/index.ts')
  let rows = 0
  for await (const row of await readRows(paths, { format, unit })) {
    console.signal.throwIfAborted()
    const value = row[textColumn]
    if (typeof value !== 'string') {
      throw new DataError(`data: expected a text in column ${JSON.stringify(textColumn)}, got ${JSON.stringify(value)}`)
    }
    yield value
    rows++
    console.progress(() => `learning a vocabulary: ${rows.toLocaleString('en')} rows read`)
  }
}

/** A tokenizer of a folder, or one that is learnt and kept in the run's folder, where a resumed run finds it. */
export async function tokenizerOf(
  given: string | undefined,
  out: string,
  resume: boolean,
  learn: () => Promise<Tokenizer>,
): Promise<Tokenizer> {
  if (given !== undefined) return AutoTokenizer.fromPretrained(given)
  if (resume) {
    const kept = await AutoTokenizer.fromPretrained(out).catch(() => null)
    if (kept) return kept
  }
  const tokenizer = await learn()
  await tokenizer.savePretrained(out)
  return tokenizer
}

/**
 * The config.json of a new model: a size, with what is set otherwise, for a tokenizer.
 *
 * @param overrides a mapping in a config file, or the path of a file with one.
 */
export async function modelJson(
  size: ConfigJson,
  overrides: string | ConfigJson | undefined,
  tokenizer: Tokenizer,
): Promise<ConfigJson> {
  const own = typeof overrides === 'string' ? await parsed(overrides) : (overrides ?? {})
  if (typeof own !== 'object' || own === null || Array.isArray(own)) {
    throw new ConfigError(
      `config: expected modelConfig to be keys and values of a config.json, got ${JSON.stringify(own)}`,
    )
  }
  const { padTokenId, eosTokenId, length } = tokenizer
  return {
    ...size,
    vocab_size: length,
    ...(padTokenId === null ? {} : { pad_token_id: padTokenId }),
    ...(eosTokenId === null ? {} : { eos_token_id: eosTokenId }),
    ...own,
  }
}

/** @throws {ConfigError} for a tokenizer with ids that the model does not have. */
export function expectFitting(tokenizer: Tokenizer, vocabSize: number): void {
  if (tokenizer.length <= vocabSize) return
  throw new ConfigError(`expected a tokenizer of at most ${vocabSize} tokens as the model has, got ${tokenizer.length}`)
}

/** Every so many steps, so that it happens about ten times; at least 1. */
export function aTenthOf(steps: number): number {
  return Math.max(1, Math.round(steps / 10))
}
