import { DataError } from '../../errors.ts'
import type { Row, RowFormat } from './formats.ts'
import { type Located, lineEnd, recordsOf } from './records.ts'

/** JSON Lines: an object a line. Blank lines are skipped. */
export const jsonlFormat: RowFormat = {
  name: 'jsonl',
  async *rows(file, from) {
    for await (const lines of recordsOf(file, from, lineEnd)) {
      yield lines.filter(({ value }) => value.trim() !== '').map((line) => ({ ...line, value: objectOf(file, line) }))
    }
  },
}

function objectOf(file: string, { value, line }: Located<string>): Row {
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch (error) {
    throw new DataError(`jsonl: expected JSON at ${file}:${line}, got: ${(error as Error).message}`)
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Row
  const kind = parsed === null ? 'null' : Array.isArray(parsed) ? 'an array' : `a ${typeof parsed}`
  throw new DataError(`jsonl: expected an object at ${file}:${line}, got ${kind}`)
}
