import { constants, createReadStream, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { addAbortSignal, type Readable } from 'node:stream'
import { DataError } from '../errors.ts'
import { UsageError } from './arguments.ts'
import type { Console } from './console.ts'
import { text } from './flags.ts'

export const textFlags = {
  file: text('PATH', 'file with one text a line; - for standard input'),
}

/** The texts of a command, in order. */
export interface Texts {
  readonly lines: AsyncIterable<string> | Iterable<string>
  /** Somebody types them, and wants an answer to each. */
  readonly typed: boolean
}

/**
 * The texts of a command: its arguments, or the lines of a file or of standard input. A file is opened at the call, so that
 * a missing one is known before a model is loaded.
 *
 * @throws {UsageError} for arguments together with a file.
 * @throws {DataError} for a file that cannot be opened.
 */
export function textsOf(given: readonly string[], file: string | undefined, console: Console): Texts {
  if (given.length > 0 && file !== undefined) throw new UsageError('expected texts or --file, got both')
  if (given.length > 0) return { lines: given, typed: false }
  if (file !== undefined && file !== '-') return { lines: linesOfFile(file, console), typed: false }
  return { lines: linesOfInput(console), typed: console.input.isTTY }
}

/** @throws {DataError} at the call, if the file cannot be opened; later, for what is not UTF-8. */
export function linesOfFile(path: string, { signal }: Console): AsyncGenerator<string> {
  try {
    // Waiting for the other end of a pipe would occupy a thread that no signal ends.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stream = fstatSync(fd).isFIFO() ? new Socket({ fd, writable: false }) : createReadStream(path, { fd })
    return linesOf(abortable(stream, signal), path)
  } catch (cause) {
    throw new DataError(`expected a file of texts, got: ${(cause as Error).message}`, { cause })
  }
}

async function* linesOfInput(console: Console): AsyncGenerator<string> {
  const { input, signal } = console
  if (input.isTTY) console.note('Type texts, one a line; Ctrl-D ends.')
  yield* linesOf(abortable(input, signal), 'standard input')
}

/** A stream that the signal ends. Whoever reads it gets the error; before anybody does, it is none. */
function abortable(stream: Readable, signal: AbortSignal): Readable {
  return addAbortSignal(
    signal,
    stream.on('error', () => {}),
  )
}

const newline = 10

/** @throws {DataError} for a line that is not UTF-8. */
async function* linesOf(stream: AsyncIterable<Buffer>, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let count = 0
  const lineOf = (bytes: readonly Buffer[]) => {
    count++
    try {
      // Files of Windows end their lines with two characters.
      return decoder.decode(Buffer.concat(bytes)).replace(/\r$/, '')
    } catch (cause) {
      throw new DataError(`expected ${name} in UTF-8, got other bytes in line ${count}`, { cause })
    }
  }
  let begun: Buffer[] = []
  for await (const chunk of stream) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      yield lineOf([...begun, chunk.subarray(start, end)])
      begun = []
      start = end + 1
    }
    if (start < chunk.length) begun.push(chunk.subarray(start))
  }
  if (begun.length > 0) yield lineOf(begun)
}
