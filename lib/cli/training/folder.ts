// The folder of a run.
import { access, constants, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
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
 * Runs `body` with the folder of a run, which keeps what the run was told, defaults included. Where it fails before there is
 * anything to resume, a folder that was new is gone again.
 *
 * @throws {DataError} if it cannot be made or written to, or holds a run that is neither to be resumed nor overwritten.
 */
export async function inRunFolder(out: string, settings: RunMode, body: () => Promise<void>): Promise<void> {
  await openRunFolder(out, settings)
  try {
    const path = join(out, runFiles.settings)
    await writing(path, () => writeFile(path, `${JSON.stringify(settings, null, 2)}\n`))
    await body()
  } catch (error) {
    if (!settings.resume && !(await holdsCheckpoints(out))) await rm(out, { recursive: true, force: true })
    throw error
  }
}

async function openRunFolder(out: string, { resume = false, overwrite = false }: RunMode): Promise<void> {
  await expectPlaceFor(out)
  const found = await readdir(out).catch((): string[] => [])
  const holdsRun = found.includes(runFiles.settings)
  if (holdsRun && !resume && !overwrite) {
    throw new DataError(`expected --out without a run, got ${out}: --resume goes on with it, --overwrite begins anew`)
  }
  if (!holdsRun && found.length > 0) {
    throw new DataError(`expected --out to be new, empty, or the folder of a run, got ${out} with ${found[0]} in it`)
  }
  await writing(out, async () => {
    // What was tokenized is found again by what it was made of.
    const stale = resume ? [] : found.filter((name) => name !== runFiles.cache)
    for (const name of stale) await rm(join(out, name), { recursive: true })
    await mkdir(out, { recursive: true })
  })
}

/** In the folder, or in those of the stages of its run. */
async function holdsCheckpoints(out: string): Promise<boolean> {
  const names = await readdir(out, { recursive: true }).catch((): string[] => [])
  return names.some((name) => basename(dirname(name)) === runFiles.checkpoints && /^step-/.test(basename(name)))
}

/** Tells before a long run that its result could not be written. @throws {DataError} that says why. */
export async function expectPlaceFor(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null)
  if (!found && dirname(resolve(folder)) !== resolve(folder)) return expectPlaceFor(dirname(resolve(folder)))
  if (!found?.isDirectory()) throw new DataError(`expected --out in a folder, got ${folder}, which is a file`)
  await writing(folder, () => access(folder, constants.W_OK))
}
