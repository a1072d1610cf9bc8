import type { Tokenizer as LibraryTokenizer } from '@anush008/tokenizers'
import { CheckpointError, DeviceError } from '../errors.ts'
import type { TokenizerConfig } from './config.ts'
import { type Json, malformed, objectOf } from './json.ts'
import type { Vocabulary } from './vocabulary.ts'

type Library = typeof import('@anush008/tokenizers')

let loading: Promise<Library> | null = null

/**
 * @internal Hugging Face's tokenizers, compiled for Node. Loaded when the first tokenizer needs it, so that importing
 * this library stays cheap.
 *
 * @throws {DeviceError} where the package or its binary for this platform is missing.
 */
export function loadLibrary(): Promise<Library> {
  loading ??= import('@anush008/tokenizers').catch((error: unknown) => {
    loading = null
    const binary = `its binary for ${process.platform} ${process.arch}`
    throw new DeviceError(`tokenizer: expected the package @anush008/tokenizers and ${binary}, got: ${String(error)}`)
  })
  return loading
}

/** @internal A tokenizer.json, as text and parsed. */
export interface TokenizerFile {
  readonly json: Json
  readonly text: string
  readonly file: string
}

/** @internal What the library's tokenizer is made of, here and in other threads. */
export interface LibrarySource {
  readonly text: string
  readonly specialTokens: string[]
}

/** @internal */
export function librarySource(source: TokenizerFile, config: TokenizerConfig, vocabulary: Vocabulary): LibrarySource {
  const named = [...Object.values(config.roles), ...config.additionalSpecialTokens]
  return {
    text: libraryText(source, config),
    specialTokens: named.filter((token) => !vocabulary.special.has(token)),
  }
}

/** @internal */
export async function libraryTokenizer(
  { text, specialTokens }: LibrarySource,
  source: TokenizerFile,
  vocabulary: Vocabulary,
): Promise<LibraryTokenizer> {
  const { Tokenizer } = await loadLibrary()
  let tokenizer: LibraryTokenizer
  try {
    tokenizer = Tokenizer.fromString(text)
  } catch (error) {
    throw new CheckpointError(`tokenizer: expected a tokenizer in ${source.file}, got: ${(error as Error).message}`)
  }
  tokenizer.addSpecialTokens(specialTokens)
  for (const token of vocabulary.special) {
    const id = vocabulary.ids.get(token)
    const got = tokenizer.tokenToId(token)
    if (got !== id) throw malformed(source.file, `an id that follows the others for ${JSON.stringify(token)}`, id)
  }
  return tokenizer
}

/**
 * The text as it is, wherever possible: written again, scores might round differently. The library's own truncation and
 * padding stay off, since its truncation ends the process where a stride does not fit.
 */
function libraryText({ json, text, file }: TokenizerFile, config: TokenizerConfig): string {
  const truncates = (json.truncation ?? null) !== null || (json.padding ?? null) !== null
  const own = json.normalizer ?? null
  const normalizer = normalizerOf(own, config.normalizer, file)
  if (!truncates && normalizer === own) return text
  return JSON.stringify({ ...json, truncation: null, padding: null, normalizer })
}

/** tokenizer_config.json overrules a BertNormalizer. */
function normalizerOf(own: unknown, settings: Json, file: string): unknown {
  if (own === null) return own
  const normalizer = objectOf(own, file, 'an object as normalizer')
  const same = Object.entries(settings).every(([key, value]) => normalizer[key] === value)
  return normalizer.type === 'BertNormalizer' && !same ? { ...normalizer, ...settings } : own
}
