import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DataError } from '../../errors.ts'

const chunkBytes = 256 * 1024

/**
 * The bytes of a file from an offset on; of a gzip file, which is told by its first bytes, what is packed in it.
 *
 * @throws {DataError} for a file that cannot be read, or ends within packed data.
 */
export async function* bytesOf(file: string, offset = 0): AsyncGenerator<Buffer, void, undefined> {
  const packed = await reading(file, () => isGzip(file))
  const source = createReadStream(file, { highWaterMark: chunkBytes, start: packed ? 0 : offset })
  // What is read below is told of all errors.
  const bytes: Readable = packed ? pipeline(source, createGunzip({ chunkSize: chunkBytes }), () => {}) : source
  let skip = packed ? offset : 0
  try {
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      if (skip < chunk.length) yield chunk.subarray(skip)
      skip = Math.max(0, skip - chunk.length)
    }
  } catch (error) {
    throw unreadable(file, error)
  } finally {
    source.destroy()
  }
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await handle.close()
  }
}

/** Runs `body`; what fails in it is a file that cannot be read. */
export async function reading<T>(file: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, error: unknown): Error {
  return new DataError(`data: expected to read ${file}, got: ${(error as Error).message}`, { cause: error })
}
