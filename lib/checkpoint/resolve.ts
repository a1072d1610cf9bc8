import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CheckpointError, ConfigError, describe } from '../errors.ts'
import { CachedRepo, isCommit } from './hub-cache.ts'
import { type HubSource, HubUnavailable, type RemoteFile, remoteFile } from './hub-client.ts'
import { hubCacheDir, hubEndpoint, isOffline, savedToken } from './hub-settings.ts'
import { readOptionalJson, unreadFormats } from './model-folder.ts'
import { indexName, shardNamesOf, weightsName } from './weight-files.ts'

/** How far the download of one file has come. */
export interface DownloadProgress {
  readonly file: string
  readonly loadedBytes: number
  readonly totalBytes: number
}

export interface ResolveOptions {
  /** Branch, tag or commit of a hub repository. @default 'main' */
  revision?: string
  /** Where hub repositories are kept. @default HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub */
  cacheDir?: string
  /** Access token for the hub; false sends none. @default HF_TOKEN, or the one that `hf auth login` saved */
  token?: string | false
  /** Asks no network. @default HF_HUB_OFFLINE */
  localFilesOnly?: boolean
  /** Whether the weights are wanted, too; without them a tokenizer loads fast. @default true */
  weights?: boolean
  /** Ends a download; what has come of it is kept, and the next one goes on from there. */
  signal?: AbortSignal
  /** Called at the begin and the end of each file's download, and about each megabyte between. */
  onProgress?: (progress: DownloadProgress) => void
}

const configName = 'config.json'
/** What a model can do without, and is read where it is there. */
const optionalNames = ['generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']
const progressStepBytes = 1_000_000

/**
 * The folder of a model: a local one, or that of a hub repository in the cache which all Hugging Face libraries share.
 * Only the files that a model needs are downloaded, each once for all revisions that have it. Where the hub cannot be
 * reached, the revision as it was when last asked for is good enough.
 *
 * @param idOrPath a folder, or `org/name` of the hub (HF_ENDPOINT, by default https://huggingface.co).
 * @throws {CheckpointError} if there is neither a folder nor a repository of that name, the hub refuses, or offline the
 *   cache does not hold it whole.
 */
export async function resolveModelFolder(idOrPath: string, options: ResolveOptions = {}): Promise<string> {
  if (typeof idOrPath !== 'string' || idOrPath === '' || idOrPath.includes('\0')) {
    throw new CheckpointError(`fromPretrained: expected a folder or a hub id, got ${describe(idOrPath)}`)
  }
  const found = await stat(idOrPath).catch(() => null)
  if (found?.isDirectory()) return resolve(idOrPath)
  if (found || !isHubId(idOrPath)) {
    const got = found ? 'a file' : 'nothing'
    throw new CheckpointError(`fromPretrained: expected a folder or a hub id, got ${got} at ${idOrPath}`)
  }
  return resolveHubId(idOrPath, options)
}

function isHubId(text: string): boolean {
  return /^(?:[\w-][\w.-]*\/)?[\w-][\w.-]*$/.test(text) && text.length <= 96 && !/--|\.\.|\.git$/.test(text)
}

function checkRevision(revision: string): void {
  const isPlain = typeof revision === 'string' && /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(revision)
  if (!isPlain) throw new ConfigError(`revision: expected a branch, tag or commit, got ${describe(revision)}`)
}

async function resolveHubId(id: string, options: ResolveOptions): Promise<string> {
  const { revision = 'main', cacheDir = hubCacheDir(), token, signal, weights = true } = options
  checkRevision(revision)
  const repo = new CachedRepo(resolve(cacheDir), id)
  const cachedCommit = await repo.commitOf(revision)
  const cached = cachedCommit !== null && (await isWhole(repo, cachedCommit, weights)) ? cachedCommit : null
  // A commit never changes.
  if (cached !== null && isCommit(revision)) return repo.snapshot(cached)
  if (options.localFilesOnly ?? isOffline()) {
    if (cached !== null) return repo.snapshot(cached)
    throw new CheckpointError(
      `fromPretrained: expected ${id} (revision ${revision}) in ${cacheDir}, got none that is whole: ` +
        'load it once while online (localFilesOnly or HF_HUB_OFFLINE is set), or give a folder',
    )
  }
  const source: HubSource = {
    endpoint: hubEndpoint(),
    id,
    token: token === false ? null : (token ?? (await savedToken())),
    signal,
  }
  let config: RemoteFile | null
  try {
    config = await remoteFile(source, revision, configName, cached === null ? undefined : 1)
  } catch (error) {
    if (error instanceof HubUnavailable && cached !== null) return repo.snapshot(cached)
    throw error
  }
  if (!config) {
    throw new CheckpointError(
      `fromPretrained: expected ${configName} in ${id} (revision ${revision}), got none: is that a model of transformers?`,
    )
  }
  await new SnapshotLoader(repo, source, config, options.onProgress).load(weights)
  if (!isCommit(revision)) await repo.rememberCommit(revision, config.commit)
  return repo.snapshot(config.commit)
}

async function isWhole(repo: CachedRepo, commit: string, weights: boolean): Promise<boolean> {
  if (!(await repo.has(commit, configName))) return false
  if (!weights || (await repo.has(commit, weightsName))) return true
  const shards = await shardsIn(repo.snapshot(commit))
  if (!shards) return false
  for (const name of shards) if (!(await repo.has(commit, name))) return false
  return true
}

/** Names of the shards of a folder's index, null if it has none. */
async function shardsIn(folder: string): Promise<string[] | null> {
  const index = await readOptionalJson(folder, indexName)
  return index && shardNamesOf(index.value, join(folder, indexName))
}

/** Brings the files of one commit into the cache. */
class SnapshotLoader {
  constructor(
    private readonly repo: CachedRepo,
    private readonly source: HubSource,
    private readonly config: RemoteFile,
    private readonly onProgress: ResolveOptions['onProgress'],
  ) {}

  async load(weights: boolean): Promise<void> {
    await this.#fetch(this.config, configName)
    for (const name of optionalNames) await this.#fetchIfPresent(name)
    if (!weights || (await this.#fetchIfPresent(weightsName))) return
    if (!(await this.#fetchIfPresent(indexName))) throw await this.#noWeights()
    for (const name of (await shardsIn(this.repo.snapshot(this.config.commit))) ?? []) {
      if (await this.#fetchIfPresent(name)) continue
      throw new CheckpointError(`fromPretrained: expected ${name} in ${this.source.id}, as its index says, got none`)
    }
  }

  /** False if the commit has no such file. */
  async #fetchIfPresent(name: string): Promise<boolean> {
    const { commit } = this.config
    if (await this.repo.has(commit, name)) return true
    if (await this.repo.isKnownMissing(commit, name)) return false
    const remote = await remoteFile(this.source, commit, name)
    if (remote) await this.#fetch({ ...remote, commit }, name)
    else await this.repo.rememberMissing(commit, name)
    return remote !== null
  }

  async #fetch(remote: RemoteFile, name: string): Promise<void> {
    if (await this.repo.has(remote.commit, name)) return
    let reported = -progressStepBytes
    await this.repo.fetch(this.source, remote, name, (loadedBytes) => {
      const isStep = Math.abs(loadedBytes - reported) >= progressStepBytes || loadedBytes === remote.bytes
      if (!isStep) return
      reported = loadedBytes
      this.onProgress?.({ file: name, loadedBytes, totalBytes: remote.bytes })
    })
  }

  async #noWeights(): Promise<CheckpointError> {
    for (const [name, advice] of Object.entries(unreadFormats)) {
      const remote = await remoteFile(this.source, this.config.commit, name)
      if (!remote) continue
      return new CheckpointError(
        `fromPretrained: expected ${weightsName} in ${this.source.id}, got only ${name}: ${advice}; ` +
          'or give the revision of a pull request that adds safetensors, such as refs/pr/1',
      )
    }
    return new CheckpointError(
      `fromPretrained: expected ${weightsName} or ${indexName} in ${this.source.id}, got neither`,
    )
  }
}
