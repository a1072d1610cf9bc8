// Checkpoints of a run: folders step-<n>, each a model's folder with what else the run goes on from.
import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { errnoOf, expecting, writeNewFile } from '../checkpoint/files.ts'
import { openWeights, readJson } from '../checkpoint/model-folder.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { saveSafetensors } from '../checkpoint/safetensors-writer.ts'
import { publishFolder, staged } from '../checkpoint/staging.ts'
import { CheckpointError } from '../errors.ts'
import { assign } from '../optim/assign.ts'
import type { MovingAverages, Optimizer } from '../optim/index.ts'
import { floatStates, restoreOptimizer } from '../optim/restore.ts'
import type { Tensor } from '../tensor.ts'
import type { Trainable } from './objective.ts'

const stateName = 'training.json'
const tensorsName = 'training.safetensors'
const averagesName = 'averages'
/** Of what follows; a reader of another number does not know what it reads. */
const format = 1

/** What a run goes on from, beside weights. */
export interface TrainingParts {
  readonly model: Trainable
  readonly optimizer: Optimizer
  readonly averages: MovingAverages | null
}

/**
 * Saves `<dir>/step-<step>`, which appears whole or not at all: the model as `fromPretrained` reads it, with averages their
 * own model in `averages`, the optimiser's states, and `state` as JSON.
 *
 * @returns the folder.
 * @throws {CheckpointError} if the system does not take it (a full disk).
 */
export function saveCheckpoint(
  dir: string,
  step: number,
  { model, optimizer, averages }: TrainingParts,
  state: object,
): Promise<string> {
  const parent = resolve(dir)
  const folder = checkpointPath(dir, step)
  return expecting(`to save ${folder}`, async () => {
    await mkdir(parent, { recursive: true })
    await staged(parent, async (files) => {
      await model.savePretrained(files)
      if (averages) await withAverages(averages, () => model.savePretrained(join(files, averagesName)))
      await saveSafetensors(join(files, tensorsName), floatStates(optimizer))
      const counts = {
        name: optimizer.constructor.name,
        steps: optimizer.steps,
        skipped: await optimizer.skipped.item(),
      }
      const json = { format, optimizer: counts, averages: averages !== null, ...state }
      await writeNewFile(join(files, stateName), `${JSON.stringify(json, null, 2)}\n`)
      if (await publishFolder(files, folder)) return
      // One of that number is left over from a run that went further than the one that this goes on from.
      await removeCheckpoint(folder)
      const isPublished = await publishFolder(files, folder)
      if (!isPublished) throw new CheckpointError(`checkpoint: expected ${folder} to be ours alone, got another writer`)
    })
    return folder
  })
}

/** Folder of the checkpoint of a step. */
export function checkpointPath(dir: string, step: number): string {
  return join(resolve(dir), `step-${step}`)
}

/** Gives a model the weights of a checkpoint, or of any folder of that model. @throws {CheckpointError} if it is none. */
export function loadWeights(model: Trainable, folder: string): Promise<void> {
  return readWeights(folder, model.namedParameters())
}

/** Runs `body` while the parameters hold the averages. */
export async function withAverages<T>(averages: MovingAverages | null, body: () => Promise<T>): Promise<T> {
  averages?.swap()
  try {
    return await body()
  } finally {
    averages?.swap()
  }
}

/** Removes a checkpoint: under its name there is a whole one or none, at any moment. */
export async function removeCheckpoint(folder: string): Promise<void> {
  await staged(join(folder, '..'), (files) => rename(folder, join(files, 'old')))
}

/** Checkpoints in `dir` by their steps; those that are being written have no name yet. */
export async function listCheckpoints(dir: string): Promise<Map<number, string>> {
  const names = await readdir(dir).catch((error) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const found = new Map<number, string>()
  for (const name of names) {
    const step = /^step-(\d+)$/.exec(name)?.[1]
    const isOurs = step !== undefined && (await stat(join(dir, name, stateName)).catch(() => null)) !== null
    if (isOurs) found.set(Number(step), join(dir, name))
  }
  return found
}

/** The last checkpoint in `dir`; null if there is none. */
export async function latestCheckpoint(dir: string): Promise<string | null> {
  const found = await listCheckpoints(dir)
  return found.get(Math.max(...found.keys())) ?? null
}

/**
 * Gives weights, averages and the optimiser's states of a checkpoint to what a run has.
 *
 * @returns what was saved as `state`.
 * @throws {CheckpointError} for a folder that is none, or that another optimiser, model or option was saved in.
 */
export async function restoreCheckpoint(
  folder: string,
  { model, optimizer, averages }: TrainingParts,
): Promise<Readonly<Record<string, unknown>>> {
  const { value } = await readJson(folder, stateName)
  const saved = value as unknown as { format: number; averages: boolean; optimizer: { name: string } & Counts }
  const expectSame = (what: string, expected: unknown, got: unknown) => {
    if (expected !== got) throw new CheckpointError(`${folder}: expected ${what} ${expected}, got ${got}`)
  }
  expectSame('format', format, saved.format)
  expectSame('optimizer', optimizer.constructor.name, saved.optimizer.name)
  expectSame('averages', averages !== null, saved.averages)
  using states = SafetensorsFile.open(join(folder, tensorsName))
  expectSame('states', Object.keys(floatStates(optimizer)).sort().join(), states.names().sort().join())
  await readWeights(folder, model.namedParameters())
  if (averages) await readWeights(join(folder, averagesName), averages.averages)
  restoreOptimizer(optimizer, saved.optimizer, (name, device) => states.load(name, { device }))
  return value
}

interface Counts {
  readonly steps: number
  readonly skipped: number
}

/** Reads the weights of a model's folder, or of folders in it that the names begin with: generator and discriminator. */
async function readWeights(folder: string, parameters: ReadonlyMap<string, Tensor>): Promise<void> {
  const isWhole = (await stat(join(folder, 'config.json')).catch(() => null)) !== null
  const parts = new Map<string, Map<string, Tensor>>()
  for (const [name, tensor] of parameters) {
    const [part, own] = isWhole ? ['', name] : [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)]
    parts.set(part, (parts.get(part) ?? new Map()).set(own, tensor))
  }
  for (const [part, named] of parts) {
    using file = await openWeights(join(folder, part))
    for (const [name, tensor] of named) {
      using saved = file.load(name, { dtype: 'float32', device: tensor.device })
      assign(tensor, saved)
    }
  }
}
