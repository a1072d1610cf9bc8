import type { Row, RowFormat } from './formats.ts'
import { type Located, lineEnd, type Position, recordsOf } from './records.ts'

/** What one row of a text file is: a line, the lines up to a blank one, or the file. */
export type TextUnit = 'line' | 'document' | 'file'

const blank = /^\s*$/

/** Text files, as rows `{ text }`. Lines of one row are joined by line feeds; what is blank is no row. */
export function textFormat(unit: TextUnit): RowFormat {
  return {
    name: 'text',
    async *rows(file, from) {
      const gathered = new Gathered(from)
      for await (const lines of recordsOf(file, from, lineEnd)) {
        const rows: Located<Row>[] = []
        for (const line of lines) {
          gathered.add(line)
          if (unit === 'line' || (unit === 'document' && blank.test(line.value))) rows.push(...gathered.take())
        }
        if (rows.length > 0) yield rows
      }
      const last = gathered.take()
      if (last.length > 0) yield last
    },
  }
}

/** Lines that will be one row. */
class Gathered {
  #lines: string[] = []
  #line = 0
  #next: Position

  constructor(from: Position) {
    this.#next = from
  }

  add({ value, line, next }: Located<string>): void {
    this.#next = next
    const isBlank = blank.test(value)
    // Blank lines before a text are not part of it; those within one are, and its end is trimmed below.
    if (this.#lines.length === 0) {
      if (isBlank) return
      this.#line = line
    }
    this.#lines.push(isBlank ? '' : value)
  }

  /** The row; none of blank lines alone. */
  take(): Located<Row>[] {
    if (this.#lines.length === 0) return []
    const text = this.#lines.join('\n').replace(/\n+$/, '')
    this.#lines = []
    return [{ value: { text }, line: this.#line, next: this.#next }]
  }
}
