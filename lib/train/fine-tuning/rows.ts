// Rows of fine-tuning data. They are few enough to be held, unlike a corpus.
import { readFile } from 'node:fs/promises'
import { type FormatName, findFiles, type Row, readRows } from '../../data/index.ts'
import { DataError, describe } from '../../errors.ts'

/** A row, and where it stands, for messages: `file:line`. */
export interface PlacedRow {
  readonly row: Row
  readonly place: string
}

/**
 * The rows of files in any format of `readRows`, of CoNLL files (`.conll`: a token and its tag a line, a blank line after
 * each sentence) as `{ tokens, tags }`, and of SQuAD files (`.json`) as `{ question, context, answers }`.
 *
 * @throws {DataError} for a file that is missing, cannot be read, or holds a broken row, with file and line.
 */
export async function placedRows(paths: readonly string[], format?: FormatName): Promise<PlacedRow[]> {
  const rows: PlacedRow[] = []
  for (const file of await findFiles(paths, (name) => format !== undefined || known.test(name))) {
    if (!format && file.endsWith('.conll')) rows.push(...conllRows(await content(file), file))
    else if (!format && file.endsWith('.json')) rows.push(...squadRows(await content(file), file))
    else {
      const stream = await readRows(file, { format })
      for await (const row of stream) rows.push({ row, place: stream.place })
    }
  }
  if (rows.length === 0) throw new DataError(`data: expected rows in ${paths.join(', ')}, got none`)
  return rows
}

const known = /\.(txt|text|jsonl|ndjson|csv|tsv|parquet|conll|json)(\.gz)?$/i

/** @throws {DataError} for a value that is no text. */
export function textIn({ row, place }: PlacedRow, column: string): string {
  const value = row[column]
  if (typeof value === 'string') return value
  throw new DataError(`data: expected a text in column ${JSON.stringify(column)} of ${place}, got ${describe(value)}`)
}

/** @throws {DataError} for a value that is not an array of texts. */
export function textsIn({ row, place }: PlacedRow, column: string): string[] {
  const value = row[column]
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw new DataError(
    `data: expected an array of texts in column ${JSON.stringify(column)} of ${place}, got ${describe(value)}`,
  )
}

/** @throws {DataError} for a value that is neither a number nor the text of one. */
export function numberIn({ row, place }: PlacedRow, column: string): number {
  const value = row[column]
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && Number.isFinite(number)) return number
  throw new DataError(`data: expected a number in column ${JSON.stringify(column)} of ${place}, got ${describe(value)}`)
}

async function content(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new DataError(`data: expected to read ${file}, got: ${(cause as Error).message}`, { cause })
  }
}

function conllRows(text: string, file: string): PlacedRow[] {
  const rows: PlacedRow[] = []
  let tokens: string[] = []
  let tags: string[] = []
  let first = 1
  const lines = text.split(/\r?\n/)
  for (const [i, line] of [...lines, ''].entries()) {
    if (line.trim() === '') {
      if (tokens.length > 0) rows.push({ row: { tokens, tags }, place: `${file}:${first}` })
      tokens = []
      tags = []
      first = i + 2
      continue
    }
    const fields = line.trim().split(line.includes('\t') ? /\t+/ : / +/)
    if (fields.length < 2) {
      throw new DataError(`data: expected a token and its tag in ${file}:${i + 1}, got ${JSON.stringify(line)}`)
    }
    tokens.push((fields[0] as string).trim())
    tags.push((fields.at(-1) as string).trim())
  }
  return rows
}

interface Squad {
  readonly data: readonly {
    readonly paragraphs: readonly {
      readonly context: string
      readonly qas: readonly {
        readonly question: string
        readonly answers: readonly { readonly text: string; readonly answer_start: number }[]
      }[]
    }[]
  }[]
}

/** The questions as other copies of SQuAD have them. */
function squadRows(text: string, file: string): PlacedRow[] {
  try {
    return (JSON.parse(text) as Squad).data.flatMap(({ paragraphs }) =>
      paragraphs.flatMap(({ context, qas }) =>
        qas.map(({ question, answers: given }) => {
          const answers = {
            text: given.map((answer) => answer.text),
            answer_start: given.map((answer) => answer.answer_start),
          }
          return { row: { question, context, answers }, place: `${file}, question ${JSON.stringify(question)}` }
        }),
      ),
    )
  } catch (cause) {
    throw new DataError(`data: expected SQuAD's JSON in ${file}, got: ${(cause as Error).message}`, { cause })
  }
}
