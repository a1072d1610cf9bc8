import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DataError, describe, IndexError } from '../../errors.ts'
import type { Dataset } from '../dataset.ts'
import { reading } from '../sources/bytes.ts'
import {
  type CacheHeader,
  documentsFile,
  fileSizes,
  headerFile,
  linesFile,
  offsetBytes,
  parseHeader,
  tokensFile,
} from './layout.ts'

type FileName = typeof tokensFile | typeof linesFile | typeof documentsFile

/**
 * Tokenized documents on disk: opening reads a header, and a document only its own bytes, in any order, so that a corpus
 * of any size takes no memory. `sample` reads it in random order.
 */
export class TokenCache implements Dataset<Int32Array> {
  private constructor(
    readonly path: string,
    private readonly header: CacheHeader,
    private readonly files: Readonly<Record<FileName, FileHandle>>,
  ) {}

  /**
   * @param path the folder of a cache.
   * @throws {DataError} for a cache that is missing, incomplete or of another version.
   */
  static async open(path: string): Promise<TokenCache> {
    const headerPath = join(path, headerFile)
    const header = parseHeader(await reading(headerPath, () => readFile(headerPath, 'utf8')), headerPath)
    const files: Partial<Record<FileName, FileHandle>> = {}
    try {
      for (const name of [tokensFile, linesFile, documentsFile] as const) {
        files[name] = await opened(join(path, name), fileSizes(header)[name] as number)
      }
    } catch (error) {
      for (const file of Object.values(files)) await file.close()
      throw error
    }
    return new TokenCache(path, header, files as Record<FileName, FileHandle>)
  }

  /** Number of documents; those without a token are left out. */
  get length(): number {
    return this.header.documents
  }

  /** Of all documents. */
  get tokens(): number {
    return this.header.tokens
  }

  /** What the cache was made from: tokenizer, files, and how they were read. */
  get key(): string {
    return this.header.key
  }

  /** The ids of a document. @throws {IndexError} for a number that none has. */
  async get(index: number): Promise<Int32Array> {
    const { start, end } = await this.#document(index)
    return this.#ids(start.token, end.token)
  }

  /** The documents as the ids of each of their lines; of a cache not made by line, a document is one line. */
  byLine(): Dataset<Int32Array[]> {
    return { length: this.length, get: (index) => this.#lines(index) }
  }

  async close(): Promise<void> {
    for (const file of Object.values(this.files)) await file.close()
  }

  async #lines(index: number): Promise<Int32Array[]> {
    const { start, end } = await this.#document(index)
    const starts = await this.#offsets(linesFile, start.line, end.line - start.line + 1)
    const ids = await this.#ids(start.token, end.token)
    const at = (line: number) => (starts[line] as number) - start.token
    return Array.from({ length: end.line - start.line }, (_, line) => ids.subarray(at(line), at(line + 1)))
  }

  /** Where a document starts, and where it ends. */
  async #document(index: number) {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.length) {
      throw new IndexError(`token cache: expected a document in [0, ${this.length}), got ${describe(index)}`)
    }
    const [line, token, endLine, endToken] = await this.#offsets(documentsFile, 2 * index, 4)
    return {
      start: { line: line as number, token: token as number },
      end: { line: endLine as number, token: endToken as number },
    }
  }

  async #ids(start: number, end: number): Promise<Int32Array> {
    const { bytesPerToken } = this.header
    const bytes = await this.#bytes(tokensFile, start * bytesPerToken, (end - start) * bytesPerToken)
    return bytesPerToken === 4 ? new Int32Array(bytes) : Int32Array.from(new Uint16Array(bytes))
  }

  async #offsets(name: FileName, first: number, count: number): Promise<Float64Array> {
    return new Float64Array(await this.#bytes(name, first * offsetBytes, count * offsetBytes))
  }

  async #bytes(name: FileName, position: number, length: number): Promise<ArrayBuffer> {
    const path = join(this.path, name)
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      const { bytesRead } = await reading(path, () =>
        this.files[name].read(bytes, done, length - done, position + done),
      )
      if (bytesRead === 0) throw new DataError(`token cache: expected ${path} as it was opened, got a shorter one`)
      done += bytesRead
    }
    return bytes.buffer
  }
}

async function opened(path: string, size: number): Promise<FileHandle> {
  const file = await reading(path, () => open(path))
  const got = (await file.stat()).size
  if (got === size) return file
  await file.close()
  throw new DataError(`token cache: expected ${size} bytes in ${path}, got ${got}; without its folder it is made anew`)
}
