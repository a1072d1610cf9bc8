// The folder of a run.
import { access, constants, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DataError } from '../../errors.ts'
import { writing } from '../../train/logs/file.ts'

/** What a run keeps in its folder, beside the model. */
export const runFiles = {
  settings: 'run.json',
  log: 'log.jsonl',
  tensorboard: 'tensorboard',
  report: 'report.html',
  checkpoints: 'checkpoints',
  cache: 'cache',
} as const

/** Whether a run begins anew or goes on. */
export interface RunMode {
  readonly resume?: boolean
  readonly overwrite?: boolean
}

/**
 * Makes the folder of a run ready, before anything that takes long.
 *
 * @throws {DataError} if it cannot be made or written to, or holds a run that is neither to be resumed nor overwritten.
 */
export async function openRunFolder(out: string, { resume = false, overwrite = false }: RunMode): Promise<void> {
  await expectPlaceFor(out)
  const found = await readdir(out).catch((): string[] => [])
  const holdsRun = found.includes(runFiles.settings)
  if (holdsRun && !resume && !overwrite) {
    throw new DataError(`expected --out without a run, got ${out}: --resume goes on with it, --overwrite begins anew`)
  }
  if (!holdsRun && found.length > 0 && !resume) {
    throw new DataError(`expected --out to be new, empty, or the folder of a run, got ${out} with ${found[0]} in it`)
  }
  await writing(out, async () => {
    if (!resume) for (const name of found) if (name !== runFiles.cache) await rm(join(out, name), { recursive: true })
    await mkdir(out, { recursive: true })
  })
}

/** Keeps what a run was told, defaults included. */
export async function saveSettings(out: string, settings: object): Promise<void> {
  const path = join(out, runFiles.settings)
  await writing(path, () => writeFile(path, `${JSON.stringify(settings, null, 2)}\n`))
}

/** Tells before a long run that its result could not be written. @throws {DataError} that says why. */
export async function expectPlaceFor(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null)
  if (!found && dirname(resolve(folder)) !== resolve(folder)) return expectPlaceFor(dirname(resolve(folder)))
  if (!found?.isDirectory()) throw new DataError(`expected --out in a folder, got ${folder}, which is a file`)
  await writing(folder, () => access(folder, constants.W_OK))
}
