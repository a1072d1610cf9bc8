// The cache that Hugging Face libraries share: one folder a repository, with blobs by their etag, snapshots by commit whose
// files are links to blobs, and refs from branch or tag to commit.
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { expecting, locked, syncFolder } from './files.ts'
import { download, type HubSource, type RemoteFile } from './hub-client.ts'

/** One repository in the cache. */
export class CachedRepo {
  readonly #folder: string
  readonly #locks: string

  constructor(cacheDir: string, id: string) {
    const name = `models--${id.replace('/', '--')}`
    this.#folder = join(cacheDir, name)
    this.#locks = join(cacheDir, '.locks', name)
  }

  /** The commit that a branch, a tag or a commit stood for when it was last asked for; null if it never was. */
  async commitOf(revision: string): Promise<string | null> {
    if (isCommit(revision)) return revision
    const text = await readFile(join(this.#folder, 'refs', revision), 'utf8').catch(() => '')
    return isCommit(text.trim()) ? text.trim() : null
  }

  async rememberCommit(revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(revision)) === commit) return
    const path = join(this.#folder, 'refs', revision)
    await mkdir(dirname(path), { recursive: true })
    await placing(path, (temporary) => writeFile(temporary, commit))
  }

  snapshot(commit: string): string {
    return join(this.#folder, 'snapshots', commit)
  }

  async has(commit: string, name: string): Promise<boolean> {
    return isFile(join(this.snapshot(commit), name))
  }

  /** Whether the hub was once asked for a file that this commit does not have. */
  async isKnownMissing(commit: string, name: string): Promise<boolean> {
    return isFile(join(this.#folder, '.no_exist', commit, name))
  }

  async rememberMissing(commit: string, name: string): Promise<void> {
    const folder = join(this.#folder, '.no_exist', commit)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, name), '')
  }

  /** Brings a file into the snapshot of its commit; what is there already is not loaded again. */
  async fetch(source: HubSource, remote: RemoteFile, name: string, onBytes: (loaded: number) => void): Promise<void> {
    const blob = join(this.#folder, 'blobs', remote.etag)
    await expecting(`to write ${blob}`, async () => {
      await mkdir(dirname(blob), { recursive: true })
      await mkdir(this.#locks, { recursive: true })
      await mkdir(this.snapshot(remote.commit), { recursive: true })
      const load = async () => {
        if (await isFile(blob)) return
        const incomplete = `${blob}.incomplete`
        await downloadWhole(source, remote, name, incomplete, onBytes)
        await rename(incomplete, blob)
        await syncFolder(dirname(blob))
      }
      if (!(await isFile(blob))) await locked(join(this.#locks, `${remote.etag}.lock`), 'a', load, source.signal)
      await linkTo(join('..', '..', 'blobs', remote.etag), join(this.snapshot(remote.commit), name))
    })
  }
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text)
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found?.isFile() ?? false
}

/** Gives `path` what `make` makes under another name, in one step. */
async function placing(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomUUID()}`
  try {
    await make(temporary)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function linkTo(target: string, path: string): Promise<void> {
  const before = await readlink(path).catch(() => null)
  if (before !== target) await placing(path, (temporary) => symlink(target, temporary))
}

/** Downloads, and where the etag is a hash, compares: a part that was resumed may be of another file, and is then dropped. */
async function downloadWhole(
  source: HubSource,
  remote: RemoteFile,
  name: string,
  path: string,
  onBytes: (loaded: number) => void,
): Promise<void> {
  for (;;) {
    const isResumed = await isFile(path)
    await download(source, remote, name, path, onBytes)
    if (!/^[0-9a-f]{64}$/.test(remote.etag)) return
    const hash = await sha256Of(path)
    if (hash === remote.etag) return
    await rm(path)
    if (isResumed) continue
    throw new CheckpointError(
      `fromPretrained: expected ${name} of ${source.id} with SHA-256 ${remote.etag}, got ${hash}: it came damaged, try again`,
    )
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
