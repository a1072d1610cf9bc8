import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CheckpointError, describe } from '../errors.ts'

/**
 * The folder of a model.
 *
 * @param idOrPath a folder.
 * @throws {CheckpointError} if there is none.
 */
export async function resolveModelFolder(idOrPath: string): Promise<string> {
  if (typeof idOrPath !== 'string' || idOrPath === '' || idOrPath.includes('\0')) {
    throw new CheckpointError(`fromPretrained: expected a folder, got ${describe(idOrPath)}`)
  }
  const found = await stat(idOrPath).catch(() => null)
  if (found?.isDirectory()) return resolve(idOrPath)
  throw new CheckpointError(
    `fromPretrained: expected a folder with config.json, got ${found ? 'a file' : 'nothing'} at ${idOrPath}`,
  )
}
