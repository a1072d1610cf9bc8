import type { Located, Position } from './records.ts'

/** One example as its file has it: values by name of column or key. Text files have the one column `text`. */
export type Row = Readonly<Record<string, unknown>>

/** How files of a format are read. */
export interface RowFormat {
  readonly name: string
  /**
   * The rows of a file from a position on, in lists of as many as were read at once.
   *
   * @throws {DataError} for a file that cannot be read, and for a broken row, with file and line.
   */
  rows(file: string, from: Position): AsyncGenerator<readonly Located<Row>[], void, undefined>
}
