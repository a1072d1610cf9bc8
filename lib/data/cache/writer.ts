import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { writeNewFile } from '../../checkpoint/files.ts'
import { type CacheHeader, documentsFile, formatVersion, headerFile, linesFile, tokensFile } from './layout.ts'

/** What is gathered before it is written. */
const bufferBytes = 1 << 20

/** Writes the files of a cache into an empty folder, from front to back. */
export class TokenCacheWriter {
  #documents = 0
  #lines = 0
  #tokens = 0

  private constructor(
    private readonly folder: string,
    private readonly bytesPerToken: 2 | 4,
    private readonly tokenFile: BufferedFile,
    private readonly lineFile: BufferedFile,
    private readonly documentFile: BufferedFile,
  ) {}

  /** @param vocabSize ids are below it. */
  static async create(folder: string, vocabSize: number): Promise<TokenCacheWriter> {
    const names = [tokensFile, linesFile, documentsFile] as const
    const files: BufferedFile[] = []
    try {
      for (const name of names) files.push(await BufferedFile.create(join(folder, name)))
    } catch (error) {
      for (const file of files) await file.close()
      throw error
    }
    const [tokens, lines, documents] = files as [BufferedFile, BufferedFile, BufferedFile]
    return new TokenCacheWriter(folder, vocabSize <= 2 ** 16 ? 2 : 4, tokens, lines, documents)
  }

  get counts(): { readonly documents: number; readonly tokens: number } {
    return { documents: this.#documents, tokens: this.#tokens }
  }

  /** Adds a document; one without a token, or a line without one, is left out. */
  async add(lines: readonly Int32Array[]): Promise<void> {
    const kept = lines.filter((line) => line.length > 0)
    if (kept.length === 0) return
    await this.documentFile.write(Float64Array.of(this.#lines, this.#tokens))
    for (const line of kept) {
      await this.lineFile.write(Float64Array.of(this.#tokens))
      await this.tokenFile.write(this.bytesPerToken === 2 ? Uint16Array.from(line) : line)
      this.#tokens += line.length
      this.#lines++
    }
    this.#documents++
  }

  /** Completes the files; when this returns, they are on the disk. */
  async finish(key: string): Promise<void> {
    await this.documentFile.write(Float64Array.of(this.#lines, this.#tokens))
    await this.lineFile.write(Float64Array.of(this.#tokens))
    for (const file of this.#files) await file.sync()
    const header: CacheHeader = {
      version: formatVersion,
      key,
      documents: this.#documents,
      lines: this.#lines,
      tokens: this.#tokens,
      bytesPerToken: this.bytesPerToken,
    }
    await writeNewFile(join(this.folder, headerFile), `${JSON.stringify(header, null, 2)}\n`)
  }

  async close(): Promise<void> {
    for (const file of this.#files) await file.close()
  }

  get #files(): readonly BufferedFile[] {
    return [this.tokenFile, this.lineFile, this.documentFile]
  }
}

/** A file that is written in large pieces. */
class BufferedFile {
  readonly #parts: Uint8Array[] = []
  #bytes = 0

  private constructor(private readonly file: FileHandle) {}

  static async create(path: string): Promise<BufferedFile> {
    return new BufferedFile(await open(path, 'wx'))
  }

  async write(values: Float64Array | Int32Array | Uint16Array): Promise<void> {
    this.#parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    this.#bytes += values.byteLength
    if (this.#bytes >= bufferBytes) await this.#flush()
  }

  async sync(): Promise<void> {
    await this.#flush()
    await this.file.sync()
  }

  close(): Promise<void> {
    return this.file.close()
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#parts.splice(0))
    this.#bytes = 0
    await this.file.writeFile(bytes)
  }
}
