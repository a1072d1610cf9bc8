// The files of a token cache, all little-endian, as the platforms are that the library runs on.
import { DataError, describe } from '../../errors.ts'

/** The ids of all documents, one after the other. */
export const tokensFile = 'tokens.bin'
/** Float64: number of the token that each line starts with; one entry more than there are lines. */
export const linesFile = 'lines.bin'
/** Float64 pairs: the line and the token that each document starts with; one pair more than there are documents. */
export const documentsFile = 'documents.bin'
/** What the others hold; written last. */
export const headerFile = 'cache.json'

export const formatVersion = 1
export const offsetBytes = 8

/** What a cache's header says. */
export interface CacheHeader {
  readonly version: typeof formatVersion
  /** What it was made from. */
  readonly key: string
  readonly documents: number
  readonly lines: number
  readonly tokens: number
  /** Of one id: 2 where all ids of the tokenizer fit in 16 bits. */
  readonly bytesPerToken: 2 | 4
}

/** @throws {DataError} for anything else than the header of a cache. */
export function parseHeader(text: string, file: string): CacheHeader {
  let header: Partial<CacheHeader> | null = null
  try {
    header = JSON.parse(text) as Partial<CacheHeader>
  } catch {}
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  const { version, key, documents, lines, tokens, bytesPerToken } = header ?? {}
  const fine =
    version === formatVersion &&
    typeof key === 'string' &&
    [documents, lines, tokens].every(isCount) &&
    (bytesPerToken === 2 || bytesPerToken === 4)
  if (!fine)
    throw new DataError(`token cache: expected a header of version ${formatVersion} in ${file}, got ${describe(text)}`)
  return header as CacheHeader
}

/** Bytes of each file by what the header says. */
export function fileSizes({ documents, lines, tokens, bytesPerToken }: CacheHeader): Record<string, number> {
  return {
    [tokensFile]: tokens * bytesPerToken,
    [linesFile]: (lines + 1) * offsetBytes,
    [documentsFile]: (documents + 1) * 2 * offsetBytes,
  }
}
