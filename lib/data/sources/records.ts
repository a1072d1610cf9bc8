import { DataError } from '../../errors.ts'
import { bytesOf } from './bytes.ts'

/** A place in a file, between records. */
export type Position = {
  /** In bytes; of a packed file, of what is packed in it. */
  readonly offset: number
  /** Number of the line that starts there, from 1. */
  readonly line: number
}

/** What was read at a place of a file. */
export interface Located<T> {
  readonly value: T
  /** Its first line, from 1. */
  readonly line: number
  /** What follows it. */
  readonly next: Position
}

/** Finds the line feed that ends a record, at or after `start`, else −1; then it is asked again, for the bytes that follow. */
export type RecordEnd = (bytes: Buffer, start: number) => number

export const fileStart: Position = { offset: 0, line: 1 }
const lineFeed = 0x0a
const carriageReturn = 0x0d

/** Every line is a record. */
export const lineEnd: RecordEnd = (bytes, start) => bytes.indexOf(lineFeed, start)

/**
 * The records of a UTF-8 file as text, without their line ends (LF or CRLF), in lists of as many as were read at once. A
 * byte order mark is no part of the first one.
 *
 * @param end of the format; new for each call where it has a state.
 * @throws {DataError} for a file that cannot be read or is not UTF-8, with the line.
 */
export async function* recordsOf(
  file: string,
  from: Position,
  end: RecordEnd,
): AsyncGenerator<Located<string>[], void, undefined> {
  let position = from
  const rest: Buffer[] = []
  const record = (last: Buffer): Located<string> => {
    const bytes = rest.length > 0 ? Buffer.concat([...rest.splice(0), last]) : last
    const next = { offset: position.offset + bytes.length, line: position.line + lineFeeds(bytes) }
    const located = { value: textOf(file, position, bytes), line: position.line, next }
    position = next
    return located
  }
  for await (const chunk of bytesOf(file, from.offset)) {
    const records: Located<string>[] = []
    let start = 0
    for (let at = end(chunk, 0); at >= 0; at = end(chunk, start)) {
      records.push(record(chunk.subarray(start, at + 1)))
      start = at + 1
    }
    if (start < chunk.length) rest.push(chunk.subarray(start))
    if (records.length > 0) yield records
  }
  if (rest.length > 0) yield [record(Buffer.alloc(0))]
}

function lineFeeds(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) count++
  return count
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const byteOrderMark = '\ufeff'

function textOf(file: string, { offset, line }: Position, bytes: Buffer): string {
  let end = bytes.length
  if (end > 0 && bytes[end - 1] === lineFeed) end--
  if (end > 0 && bytes[end - 1] === carriageReturn) end--
  let text: string
  try {
    text = decoder.decode(bytes.subarray(0, end))
  } catch {
    throw new DataError(`data: expected UTF-8 at ${file}:${line}, got other bytes`)
  }
  return offset === 0 && text.startsWith(byteOrderMark) ? text.slice(1) : text
}
