// Files are made ready in a hidden folder beside their destination and appear there by renaming.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { errnoOf, locked, syncFolder, tryLock } from './files.ts'

const prefix = '.duoformer-'

interface Staging {
  readonly folder: string
  /** Locked for as long as its owner lives. */
  readonly lock: FileHandle
}

/**
 * Calls `make` with a new, empty folder in `parent` and removes the folder afterwards, whatever happened. One that a
 * killed process left behind is removed by the next call with this parent.
 */
export async function staged<T>(parent: string, make: (folder: string) => Promise<T>): Promise<T> {
  await removeStrays(parent)
  const { folder, lock } = await createStaging(parent)
  try {
    const files = join(folder, 'files')
    await mkdir(files)
    return await make(files)
  } finally {
    await rm(folder, { recursive: true, force: true })
    await lock.close()
  }
}

async function createStaging(parent: string): Promise<Staging> {
  for (;;) {
    const folder = join(parent, `${prefix}${randomUUID()}`)
    await mkdir(folder)
    const lock = await open(join(folder, 'lock'), 'wx').catch(async (error) => {
      await rmdir(folder).catch(refuseUnless('ENOENT'))
      return refuseUnless('ENOENT')(error)
    })
    if (lock && tryLock(lock) !== 'busy') return { folder, lock }
    // Somebody who looks for strays came between the two steps, and took it for one.
    await lock?.close()
  }
}

/** Removes what killed processes left in `parent`, if that is a folder. What others work on stays. */
export async function removeStrays(parent: string): Promise<void> {
  const names = await readdir(parent).catch(refuseUnless('ENOENT', 'ENOTDIR'))
  for (const name of names ?? []) {
    if (!name.startsWith(prefix)) continue
    const folder = join(parent, name)
    const lock = await open(join(folder, 'lock'), 'r+').catch(refuseUnless('ENOENT', 'ENOTDIR'))
    if (!lock) {
      // Killed before it made its lock, or about to make it: then it notices, and takes another.
      await rmdir(folder).catch(refuseUnless('ENOENT', 'ENOTEMPTY', 'ENOTDIR'))
      continue
    }
    try {
      if (tryLock(lock) === 'taken') await rm(folder, { recursive: true, force: true })
    } finally {
      await lock.close()
    }
  }
}

function refuseUnless(...codes: string[]): (error: unknown) => null {
  return (error) => {
    if (codes.includes(errnoOf(error) ?? '')) return null
    throw error
  }
}

/** Whether there is a folder at `path`. @throws {CheckpointError} if there is something else. */
export async function folderExists(path: string): Promise<boolean> {
  const found = await stat(path).catch(refuseUnless('ENOENT'))
  if (found && !found.isDirectory()) throw new CheckpointError(`checkpoint: expected a folder ${path}, got a file`)
  return found !== null
}

/** Runs `body` with the parent of `dir`, made where it was missing; parents that were made go again if `body` fails. */
export async function withParent<T>(dir: string, body: (parent: string) => Promise<T>): Promise<T> {
  const parent = dirname(dir)
  const first = await mkdir(parent, { recursive: true })
  try {
    return await body(parent)
  } catch (error) {
    for (let made = parent; first && made.length >= first.length; made = dirname(made)) {
      await rmdir(made).catch(refuseUnless('ENOTEMPTY', 'ENOENT'))
    }
    throw error
  }
}

/** Gives the folder `files` the name `dir`. False if there is a folder of that name meanwhile, and something in it. */
export async function publishFolder(files: string, dir: string): Promise<boolean> {
  await syncFolder(files)
  try {
    await rename(files, dir)
  } catch (error) {
    refuseUnless('ENOTEMPTY', 'EEXIST')(error)
    return false
  }
  await syncFolder(dirname(dir))
  return true
}

/** Moves `names` from `files` into `dir`, in that order, then removes what `isStale` says of the files there. */
export function publishFiles(
  files: string,
  dir: string,
  names: readonly string[],
  isStale: (name: string) => boolean,
  signal?: AbortSignal,
): Promise<void> {
  const publish = async () => {
    const before = await readdir(dir, { withFileTypes: true })
    const blocked = before.find((entry) => entry.isDirectory() && names.includes(entry.name))
    if (blocked) throw new CheckpointError(`checkpoint: expected a file ${join(dir, blocked.name)}, got a folder`)
    for (const name of names) await rename(join(files, name), join(dir, name))
    for (const { name } of before) if (isStale(name)) await rm(join(dir, name), { force: true })
    await syncFolder(dir)
  }
  return locked(dir, constants.O_RDONLY | constants.O_DIRECTORY, publish, signal)
}
