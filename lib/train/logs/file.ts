import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DataError } from '../../errors.ts'

/** A file that grows. Its errors name it, a full disk for one. */
export class LogFile {
  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /** @throws {DataError} if it cannot be opened. */
  static async append(path: string): Promise<LogFile> {
    return writing(path, async () => {
      await mkdir(dirname(path), { recursive: true })
      return new LogFile(path, await open(path, 'a'))
    })
  }

  /** @throws {DataError} if it cannot be written. */
  async write(data: string | Uint8Array): Promise<void> {
    await writing(this.path, () => this.file.appendFile(data))
  }

  async close(): Promise<void> {
    await this.file.close()
  }
}

/** Runs `body`; an error of the system becomes a DataError that names the file. */
export async function writing<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (error instanceof DataError) throw error
    throw new DataError(`log: expected to write to ${path}, got: ${(error as Error).message}`, { cause: error })
  }
}
