import { realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { expecting, writeNewFile } from './files.ts'
import {
  type NamedTensors,
  type Outgoing,
  type SafetensorsOptions,
  withOutgoing,
  writeSafetensors,
} from './safetensors-writer.ts'
import { folderExists, publishFiles, publishFolder, staged, withParent } from './staging.ts'
import { bytesOfSize, indexName, isPlainName, isWeightsName, planWeights } from './weight-files.ts'

export interface SaveFolderOptions extends SafetensorsOptions {
  /** Written as model.safetensors, or as shards with an index; weights that a former save left under such names go. */
  tensors?: NamedTensors
  /** Bytes, or text such as '5GB' or '200MiB'; a tensor that is larger has a shard of its own. @default '50GB' */
  maxShardSize?: number | string
}

/**
 * Writes files into a model folder so that they appear whole or not at all. A folder that did not exist appears with all
 * of them in one step; in one that did, each file is replaced in one step after all have reached the disk, and files of
 * other names stay. Saves into one folder, by any number of processes, come one after the other.
 *
 * @param files text or bytes by plain file name.
 * @throws {CheckpointError} if the system does not take them (a full disk); what was there before is then still there.
 * @throws {StateError} if a tensor was updated in place while it was saved.
 */
export async function saveFolder(
  dir: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  { tensors, dtype, metadata = { format: 'pt' }, maxShardSize = '50GB', signal }: SaveFolderOptions = {},
): Promise<void> {
  const maxBytes = bytesOfSize(maxShardSize)
  for (const name of Object.keys(files)) checkName(name)
  if (!tensors) return saveFiles(dir, files, null, signal)
  await withOutgoing(tensors, dtype, (outgoing) => {
    const { files: weights, index } = planWeights(outgoing, maxBytes)
    const more = index === null ? files : { ...files, [indexName]: index }
    return saveFiles(dir, more, { tensors: weights, metadata }, signal)
  })
}

interface Weights {
  readonly tensors: ReadonlyMap<string, readonly Outgoing[]>
  readonly metadata: Readonly<Record<string, string>>
}

function saveFiles(
  dir: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  weights: Weights | null,
  signal?: AbortSignal,
): Promise<void> {
  const names = [...(weights?.tensors.keys() ?? []), ...Object.keys(files)]
  const isStale = (name: string) => weights !== null && isWeightsName(name) && !names.includes(name)
  const write = async (folder: string) => {
    for (const [name, tensors] of weights?.tensors ?? []) {
      await writeSafetensors(join(folder, name), tensors, weights?.metadata ?? {}, signal)
    }
    for (const [name, contents] of Object.entries(files)) await writeNewFile(join(folder, name), contents)
  }
  return expecting(`to save ${dir}`, async () => {
    signal?.throwIfAborted()
    if (await folderExists(dir)) {
      const folder = await realpath(dir)
      return staged(folder, async (staging) => {
        await write(staging)
        await publishFiles(staging, folder, names, isStale, signal)
      })
    }
    const folder = resolve(dir)
    return withParent(folder, (parent) =>
      staged(parent, async (staging) => {
        await write(staging)
        const isPublished = await publishFolder(staging, folder)
        if (!isPublished) await publishFiles(staging, folder, names, isStale, signal)
      }),
    )
  })
}

function checkName(name: string): void {
  if (!isPlainName(name))
    throw new CheckpointError(`saveFolder: expected plain file names, got ${JSON.stringify(name)}`)
  if (isWeightsName(name)) {
    throw new CheckpointError(`saveFolder: expected weights as the option tensors, got a file ${name}`)
  }
}
