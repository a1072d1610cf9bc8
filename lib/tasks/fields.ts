import type { Row } from '../data/index.ts'
import { DataError, describe } from '../errors.ts'

/** The text in a column; numbers count as texts. @throws {DataError} if there is none. */
export function textField(row: Row, column: string): string {
  const value = row[column]
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  const columns = Object.keys(row).join(', ')
  throw new DataError(`task: expected a text in column ${column} (of ${columns}), got ${describe(value)}`)
}

/** The number in a column, also where it is written as a text. @throws {DataError} if there is none. */
export function numberField(row: Row, column: string): number {
  const text = textField(row, column).trim()
  const number = text === '' ? Number.NaN : Number(text)
  if (Number.isFinite(number)) return number
  throw new DataError(`task: expected a number in column ${column}, got ${JSON.stringify(text)}`)
}

/** The list of texts in a column. @throws {DataError} if there is none. */
export function textsField(row: Row, column: string): readonly string[] {
  const value = row[column]
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw new DataError(`task: expected a list of texts in column ${column}, got ${describe(value)}`)
}

/** The object in a column. @throws {DataError} if there is none. */
export function objectField(row: Row, column: string): Row {
  const value = row[column]
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row
  throw new DataError(`task: expected an object in column ${column}, got ${describe(value)}`)
}

/** What T5 is trained to write for a row whose label is withheld, as in test sets. */
const unknownLabel = '<unk>'

/**
 * The class of a row as a text: of its number, where −1 is a label that is withheld, or of its name.
 *
 * @throws {DataError} for what is neither.
 */
export function labelField(row: Row, labels: readonly string[], column = 'label'): string {
  const value = row[column]
  const text = typeof value === 'boolean' ? String(Number(value)) : textField(row, column).trim()
  if (labels.includes(text)) return text
  if (text === '-1') return unknownLabel
  const label = /^\d+$/.test(text) ? labels[Number(text)] : undefined
  if (label !== undefined) return label
  const expected = `${labels.join(', ')}, or its number`
  throw new DataError(`task: expected ${column} to be ${expected}, got ${JSON.stringify(text)}`)
}
