// The folder of a run.
import { access, constants, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { saveFolder } from '../../checkpoint/save-folder.ts'
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
 * Tells, before anything that takes long, whether a run can be kept in a folder.
 *
 * @returns the names of what is in it.
 * @throws {DataError} if it cannot be made or written to, or holds a run that is neither to be resumed nor overwritten.
 */
export async function expectRunFolder(out: string, { resume = false, overwrite = false }: RunMode): Promise<string[]> {
  await expectPlaceFor(out)
  const found = await readdir(out).catch((): string[] => [])
  const holdsRun = found.includes(runFiles.settings)
  if (holdsRun && !resume && !overwrite) {
    throw new DataError(`expected --out without a run, got ${out}: --resume goes on with it, --overwrite begins anew`)
  }
  if (!holdsRun && found.length > 0 && !resume) {
    throw new DataError(`expected --out to be new, empty, or the folder of a run, got ${out} with ${found[0]} in it`)
  }
  return found
}

/**
 * Makes the folder of a run, and keeps in it what the run was told, defaults included.
 *
 * @throws {DataError} as `expectRunFolder`; {CheckpointError} if the settings cannot be written.
 */
export async function openRunFolder(out: string, mode: RunMode, settings: object): Promise<void> {
  const found = await expectRunFolder(out, mode)
  if (!mode.resume) {
    await writing(out, async () => {
      for (const name of found) if (name !== runFiles.cache) await rm(join(out, name), { recursive: true })
    })
  }
  await saveFolder(out, { [runFiles.settings]: `${JSON.stringify(settings, null, 2)}\n` })
}

/** Tells before a long run that its result could not be written. @throws {DataError} that says why. */
export async function expectPlaceFor(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null)
  if (!found && dirname(resolve(folder)) !== resolve(folder)) return expectPlaceFor(dirname(resolve(folder)))
  if (!found?.isDirectory()) throw new DataError(`expected --out in a folder, got ${folder}, which is a file`)
  await writing(folder, () => access(folder, constants.W_OK))
}
