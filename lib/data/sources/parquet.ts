import * as zlib from 'node:zlib'
import type { Compressors } from 'hyparquet'
import { ConfigError } from '../../errors.ts'
import { reading } from './bytes.ts'
import type { Row, RowFormat } from './formats.ts'

type Library = typeof import('hyparquet')

/** In Node from 22.15 on. */
const { zstdDecompressSync } = zlib as { readonly zstdDecompressSync?: typeof zlib.gunzipSync }

/** What Node packs out beside Snappy, which the library knows. */
const compressors: Compressors = {
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  ...(zstdDecompressSync && { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) }),
}

/**
 * Parquet, a row group at a time: memory is what the writer made row groups of. Whole numbers of 64 bits are numbers where
 * they fit, else bigints. Positions count rows.
 *
 * @see https://parquet.apache.org/docs/file-format
 */
export const parquetFormat: RowFormat = {
  name: 'parquet',
  async *rows(path, from) {
    const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await loadParquet()
    const file = await reading(path, () => asyncBufferFromFile(path))
    const metadata = await reading(path, () => parquetMetadataAsync(file))
    let rowEnd = 0
    for (const group of metadata.row_groups) {
      const rowStart = Math.max(rowEnd, from.offset)
      rowEnd += Number(group.num_rows)
      if (rowStart >= rowEnd) continue
      const options = { file, metadata, compressors, rowStart, rowEnd }
      const rows = await reading(path, () => parquetReadObjects(options))
      yield rows.map((row, i) => {
        const offset = rowStart + i + 1
        return { value: withNumbers(row) as Row, line: offset, next: { offset, line: offset + 1 } }
      })
    }
  },
}

/** @throws {ConfigError} where the package is missing. */
async function loadParquet(): Promise<Library> {
  try {
    return await import('hyparquet')
  } catch (error) {
    const got = (error as Error).message
    throw new ConfigError(`parquet: expected the package hyparquet (npm install hyparquet), got: ${got}`)
  }
}

function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (Array.isArray(value)) return value.map(withNumbers)
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withNumbers(inner)]))
}
