// Files and folders of a checkpoint: errors that name them, data that has reached the disk, locks.
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { CheckpointError, DuoformerError } from '../errors.ts'
import { addon } from '../native/load.ts'

/** How long to wait before asking for a busy lock again. */
const lockRetryMs = 20

/** `ENOENT` and the like of a failed system call; undefined for other errors. */
export function errnoOf(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException
  return error instanceof Error && !(error instanceof DuoformerError) && typeof code === 'string' ? code : undefined
}

/** Runs `body`; a system call that fails in it becomes a CheckpointError that says what was wanted. */
export async function expecting<T>(what: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    throw new CheckpointError(`checkpoint: expected ${what}, got ${(error as Error).message}`, { cause: error })
  }
}

async function withFile<T>(path: string, flags: string | number, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/** Makes a new file; when this returns, its contents are on the disk. `more` may add to what `data` begins. */
export function writeNewFile(path: string, data: string | Uint8Array, more?: () => Promise<void>): Promise<void> {
  return expecting(`to write ${path}`, () =>
    withFile(path, 'wx', async (file) => {
      await file.writeFile(data)
      await more?.()
      await file.sync()
    }),
  )
}

/** What was renamed into a folder, or out of it, is on the disk when this returns. */
export function syncFolder(path: string): Promise<void> {
  return withFile(path, constants.O_RDONLY | constants.O_DIRECTORY, (folder) => folder.sync())
}

/** `unsupported` on file systems that have no locks. */
export type LockState = 'taken' | 'busy' | 'unsupported'

const lockStates: readonly LockState[] = ['taken', 'busy', 'unsupported']

/** Takes the lock of an open file, without waiting; closing the file, or the end of the process, gives it back. */
export function tryLock(file: FileHandle): LockState {
  return lockStates[addon.tryLock(file.fd)] as LockState
}

/** Runs `body` while nobody else, in this process or another, runs one that locks the same file or folder. */
export function locked<T>(
  path: string,
  flags: string | number,
  body: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return withFile(path, flags, async (file) => {
    while (tryLock(file) === 'busy') {
      await setTimeout(lockRetryMs)
      signal?.throwIfAborted()
    }
    return await body()
  })
}
