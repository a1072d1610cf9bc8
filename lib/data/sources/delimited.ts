import { ConfigError, DataError, describe } from '../../errors.ts'
import type { Row, RowFormat } from './formats.ts'
import { fileStart, type Located, lineEnd, type RecordEnd, recordsOf } from './records.ts'

export interface DelimitedOptions {
  /** Names of the columns, for files without a header line. @default the first line */
  readonly columns?: readonly string[] | undefined
  /**
   * What surrounds fields that hold delimiters, line ends or, doubled, itself; null where quotes are characters like
   * others, as in the files of GLUE. @default '"'
   */
  readonly quote?: string | null | undefined
}

const lineFeed = 0x0a

interface Dialect {
  readonly name: string
  readonly delimiter: string
  readonly quote: string | null
}

/**
 * CSV or TSV, as rows of strings by column. Blank lines are skipped.
 *
 * @throws {ConfigError} for a quote that is not one ASCII character.
 * @see RFC 4180. https://www.rfc-editor.org/rfc/rfc4180
 */
export function delimitedFormat(name: 'csv' | 'tsv', { columns, quote = '"' }: DelimitedOptions = {}): RowFormat {
  if (quote !== null && !/^[\x21-\x7e]$/.test(quote)) {
    throw new ConfigError(`${name}: expected one ASCII character or null as quote, got ${describe(quote)}`)
  }
  const dialect: Dialect = { name, delimiter: name === 'csv' ? ',' : '\t', quote }
  return {
    name,
    async *rows(file, from) {
      const header = columns ? null : await headerOf(file, dialect)
      const names = columns ?? (header as Located<string[]>).value
      const start = header && from.offset < header.next.offset ? header.next : from
      for await (const records of recordsOf(file, start, recordEnd(dialect))) {
        const rows = records.filter(({ value }) => value !== '')
        yield rows.map((record) => ({ ...record, value: rowOf(file, record, names, dialect) }))
      }
    },
  }
}

async function headerOf(file: string, dialect: Dialect): Promise<Located<string[]>> {
  for await (const records of recordsOf(file, fileStart, recordEnd(dialect))) {
    const record = records.find(({ value }) => value !== '')
    if (!record) continue
    const names = fieldsOf(file, record, dialect)
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice === undefined) return { ...record, value: names }
    const got = `${JSON.stringify(twice)} twice`
    throw new DataError(`${dialect.name}: expected different names of columns at ${file}:${record.line}, got ${got}`)
  }
  throw new DataError(`${dialect.name}: expected a header line in ${file}, got none`)
}

/** A line feed ends a record unless it is quoted. Works on bytes: those of ASCII never occur in other characters. */
function recordEnd({ delimiter, quote }: Dialect): RecordEnd {
  if (quote === null) return lineEnd
  const [delimiterByte, quoteByte] = [delimiter.charCodeAt(0), quote.charCodeAt(0)]
  let quoted = false
  // Only a quote at the start of a field opens it; one that follows a closing quote goes on with it.
  let opens = true
  return (bytes, start) => {
    for (let i = start; i < bytes.length; i++) {
      const byte = bytes[i]
      if (quoted) {
        quoted = byte !== quoteByte
        opens = !quoted
      } else if (byte === quoteByte && opens) quoted = true
      else {
        opens = byte === delimiterByte || byte === lineFeed
        if (byte === lineFeed) return i
      }
    }
    return -1
  }
}

function rowOf(file: string, record: Located<string>, names: readonly string[], dialect: Dialect): Row {
  const fields = fieldsOf(file, record, dialect)
  if (fields.length !== names.length) {
    const expected = `${names.length} fields (${names.join(', ')})`
    throw new DataError(`${dialect.name}: expected ${expected} at ${file}:${record.line}, got ${fields.length}`)
  }
  return Object.fromEntries(names.map((name, i) => [name, fields[i]]))
}

function fieldsOf(file: string, { value: text, line }: Located<string>, { name, delimiter, quote }: Dialect): string[] {
  if (quote === null || !text.includes(quote)) return text.split(delimiter)
  const fields: string[] = []
  for (let start = 0; start <= text.length; ) {
    const field = text[start] === quote ? quotedField(text, start, quote) : plainField(text, start, delimiter)
    if (field === null) {
      throw new DataError(
        `${name}: expected ${quote} at the end of the field that it starts at ${file}:${line}, got none`,
      )
    }
    const { value, end } = field
    if (end < text.length && text[end] !== delimiter) {
      const got = JSON.stringify(text.slice(end, end + 20))
      const hint = `where quotes are plain characters, say quote: null`
      throw new DataError(`${name}: expected a delimiter after ${quote} at ${file}:${line} (${hint}), got ${got}`)
    }
    fields.push(value)
    start = end + 1
  }
  return fields
}

function plainField(text: string, start: number, delimiter: string): { value: string; end: number } {
  const at = text.indexOf(delimiter, start)
  const end = at < 0 ? text.length : at
  return { value: text.slice(start, end), end }
}

/** A field from its quote on; null where no quote ends it. */
function quotedField(text: string, start: number, quote: string): { value: string; end: number } | null {
  let value = ''
  for (let at = start + 1; ; ) {
    const close = text.indexOf(quote, at)
    if (close < 0) return null
    value += text.slice(at, close)
    if (text[close + 1] !== quote) return { value, end: close + 1 }
    value += quote
    at = close + 2
  }
}
