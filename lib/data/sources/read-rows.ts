import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { ConfigError, DataError, describe } from '../../errors.ts'
import { Random } from '../../random.ts'
import { checkEpochs, type ReadOptions } from '../dataset.ts'
import { checkState, type Item, Stream, type StreamState } from '../stream.ts'
import { reading } from './bytes.ts'
import { type DelimitedOptions, delimitedFormat } from './delimited.ts'
import { findFiles } from './find-files.ts'
import type { Row, RowFormat } from './formats.ts'
import { jsonlFormat } from './jsonl.ts'
import { parquetFormat } from './parquet.ts'
import { fileStart, type Located, type Position } from './records.ts'
import { type TextUnit, textFormat } from './text.ts'

export type FormatName = 'text' | 'jsonl' | 'csv' | 'tsv' | 'parquet'

export interface RowOptions extends ReadOptions, DelimitedOptions {
  /** @default what the end of each file's name says */
  readonly format?: FormatName | undefined
  /** What one row of a text file is. @default 'line' */
  readonly unit?: TextUnit | undefined
}

/** Ends of names, which `.gz` may follow. */
const endings: Readonly<Record<string, FormatName>> = {
  txt: 'text',
  text: 'text',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  tsv: 'tsv',
  parquet: 'parquet',
}

/**
 * Reads rows of files, one after the other, without ever holding one whole (a row aside): text, JSON Lines, CSV and TSV,
 * each plain or packed by gzip, and Parquet, which needs the package hyparquet.
 *
 * @param paths files, folders and patterns, as `findFiles` takes them; of folders, files whose names end in `.txt`,
 *   `.jsonl`, `.ndjson`, `.csv`, `.tsv`, these with `.gz`, or `.parquet`; all files where `format` is given.
 * @throws {DataError} if there is no such file; {ConfigError} for a file of unknown format, and options out of range. Reading
 *   throws {DataError} for a file that cannot be read or a broken row, with file and line.
 */
export async function readRows(paths: string | readonly string[], options: RowOptions = {}): Promise<Rows> {
  const { seed = 0, epochs = 1, format } = options
  checkEpochs(epochs)
  const files = await dataFiles(paths, format)
  const sources = files.map((file) => ({ file, format: rowFormat(file, options) }))
  return new RowStream(sources, await identityOf(files), new Random(seed), epochs)
}

/** Rows, and where they stand. */
export interface Rows extends Stream<Row> {
  /** `file:line` of the row that was given last. */
  readonly place: string
}

/** The files that `readRows` reads of paths. */
export function dataFiles(paths: string | readonly string[], format?: FormatName): Promise<string[]> {
  return findFiles(paths, (file) => format !== undefined || formatNameOf(file) !== undefined)
}

function formatNameOf(file: string): FormatName | undefined {
  return endings[/\.(\w+?)(\.gz)?$/.exec(file.toLowerCase())?.[1] ?? '']
}

function rowFormat(file: string, { format = formatNameOf(file), unit = 'line', ...delimited }: RowOptions): RowFormat {
  switch (format) {
    case 'text':
      return textFormat(unit)
    case 'jsonl':
      return jsonlFormat
    case 'csv':
    case 'tsv':
      return delimitedFormat(format, delimited)
    case 'parquet':
      return parquetFormat
    default: {
      const got = format === undefined ? file : describe(format)
      throw new ConfigError(
        `data: expected format text, jsonl, csv, tsv or parquet, or a file whose name says it, got ${got}`,
      )
    }
  }
}

/** What files are told by: names and sizes, so that they may be moved and copied. */
async function identityOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    const { size } = await reading(file, () => stat(file))
    hash.update(`${basename(file)}\n${size}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

interface RowSource {
  readonly file: string
  readonly format: RowFormat
}

class RowStream extends Stream<Row> implements Rows {
  #epoch = 0
  /** Rows of the epoch that were read. */
  #row = 0
  /** Number of the file. */
  #file = 0
  #position: Position = fileStart
  /** Rows that were read, of which the first `#taken` were given; null before the file is opened. */
  #reader: AsyncGenerator<readonly Located<Row>[], void, undefined> | null = null
  #rows: readonly Located<Row>[] = []
  #taken = 0
  /** Number of the line of the row that was given last. */
  #line = 0

  constructor(
    private readonly sources: readonly RowSource[],
    private readonly identity: string,
    private readonly random: Random,
    private readonly epochs: number,
  ) {
    super()
  }

  async next(): Promise<Item<Row> | null> {
    while (this.#taken === this.#rows.length) {
      if (this.#epoch >= this.epochs) return null
      if (!(await this.#readMore())) this.#nextFile()
    }
    const { value, line, next } = this.#rows[this.#taken++] as Located<Row>
    this.#position = next
    this.#line = line
    return { value, random: this.random.at(this.#epoch, this.#row++) }
  }

  get place(): string {
    return `${this.sources[this.#file]?.file}:${this.#line}`
  }

  async #readMore(): Promise<boolean> {
    const { file, format } = this.sources[this.#file] as RowSource
    this.#reader ??= format.rows(file, this.#position)
    const { value, done } = await this.#reader.next()
    this.#rows = value ?? []
    this.#taken = 0
    return !done
  }

  #nextFile(): void {
    this.#reader = null
    this.#position = fileStart
    this.#file++
    if (this.#file < this.sources.length) return
    if (this.#row === 0) throw new DataError(`data: expected rows in ${this.sources[0]?.file}, …, got none`)
    this.#file = 0
    this.#row = 0
    this.#epoch++
  }

  state(): StreamState {
    const { offset, line } = this.#position
    return { files: this.identity, epoch: this.#epoch, row: this.#row, file: this.#file, offset, line }
  }

  async restore(state: StreamState): Promise<void> {
    const counts = { epoch: 'number', row: 'number', file: 'number', offset: 'number', line: 'number' } as const
    checkState('data', state, { files: 'string', ...counts })
    const { files, epoch, row, file, offset, line } = state
    if (files !== this.identity) {
      throw new DataError('data: expected a position in these files, by their names and sizes, got one in others')
    }
    await this.close()
    this.#epoch = epoch as number
    this.#row = row as number
    this.#file = file as number
    this.#position = { offset: offset as number, line: line as number }
  }

  async close(): Promise<void> {
    await this.#reader?.return()
    this.#reader = null
    this.#rows = []
    this.#taken = 0
  }
}
