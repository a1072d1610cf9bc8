// Requests to a Hugging Face hub, or to anything that answers like one.
import { open } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { CheckpointError } from '../errors.ts'

/** Where files come from, and on whose behalf. */
export interface HubSource {
  readonly endpoint: string
  /** `org/name`, or a name alone. */
  readonly id: string
  readonly token: string | null
  readonly signal: AbortSignal | undefined
}

/** What the hub says of one file of a revision. */
export interface RemoteFile {
  readonly commit: string
  /** Names the contents; of large files it is their SHA-256. */
  readonly etag: string
  readonly bytes: number
}

/** The hub was not reached, or had no time: the same request may succeed later. */
export class HubUnavailable extends CheckpointError {
  /** What the hub asks to wait. */
  readonly retryAfterMs: number | undefined
  constructor(message: string, options: ErrorOptions & { retryAfterMs?: number | undefined } = {}) {
    super(message, options)
    this.retryAfterMs = options.retryAfterMs
  }
}

/** How the hub tells that a repository exists, but not the file. */
const missingCode = 'EntryNotFound'
const maxRedirects = 10
const maxAttempts = 5
const firstDelayMs = 250
const maxDelayMs = 30_000
/** How long the hub may take to begin its answer. */
const answerTimeoutMs = 30_000

/**
 * Asks for a file's commit, etag and size.
 *
 * @param attempts how often to try when the hub cannot be reached.
 * @returns null if the revision has no such file.
 */
export function remoteFile(
  source: HubSource,
  revision: string,
  name: string,
  attempts = maxAttempts,
): Promise<RemoteFile | null> {
  return retrying(source, attempts, async () => {
    // Without compression, or the size would be another.
    const response = await request(source, 'HEAD', urlOf(source, revision, name), { 'accept-encoding': 'identity' })
    const isMissing = response.status === 404 && (response.headers.get('x-error-code') ?? missingCode) === missingCode
    if (isMissing) return null
    if (!response.ok && !isLinked(response)) throw refusal(source, revision, name, response)
    return describeRemote(source, name, response.headers)
  })
}

function describeRemote({ endpoint, id }: HubSource, name: string, headers: Headers): RemoteFile {
  const commit = headers.get('x-repo-commit') ?? ''
  const etag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
  const size = headers.get('x-linked-size') ?? headers.get('content-length') ?? ''
  // All three become parts of paths, or sizes of files.
  if (!/^[0-9a-f]{40}$/.test(commit) || !/^[\w-][\w.-]{0,200}$/.test(etag) || !/^\d{1,15}$/.test(size)) {
    throw new CheckpointError(
      `fromPretrained: expected commit, etag and size of ${name} of ${id} from ${endpoint}, got ${JSON.stringify([commit, etag, size])}`,
    )
  }
  return { commit, etag, bytes: Number(size) }
}

/**
 * Downloads a file to `path`, going on where an earlier attempt stopped.
 *
 * @param onBytes called with the bytes that are there so far.
 * @throws {CheckpointError} if the hub refuses, or sends other than `remote.bytes` bytes.
 */
export function download(
  source: HubSource,
  remote: RemoteFile,
  name: string,
  path: string,
  onBytes: (loaded: number) => void,
): Promise<void> {
  const expected = `fromPretrained: expected ${remote.bytes} bytes of ${name} of ${source.id}`
  return retrying(source, maxAttempts, async () => {
    await using file = await open(path, 'a')
    let { size: loaded } = await file.stat()
    const restart = async () => {
      await file.truncate(0)
      loaded = 0
    }
    if (loaded > remote.bytes) await restart()
    onBytes(loaded)
    if (loaded < remote.bytes) {
      const response = await requestFrom(source, remote, name, loaded)
      if (response.status !== 206) await restart()
      for await (const chunk of bodyOf(source, response)) {
        loaded += chunk.length
        if (loaded > remote.bytes) {
          await restart()
          throw new CheckpointError(`${expected}, got more`)
        }
        await file.writeFile(chunk)
        onBytes(loaded)
      }
    }
    if (loaded < remote.bytes) throw new HubUnavailable(`${expected}, got ${loaded}`)
    await file.sync()
  })
}

/** The file from a byte on, with status 206, or all of it with status 200. */
async function requestFrom(source: HubSource, remote: RemoteFile, name: string, begin: number): Promise<Response> {
  const range: Record<string, string> = begin > 0 ? { range: `bytes=${begin}-` } : {}
  const url = urlOf(source, remote.commit, name)
  const response = await request(source, 'GET', url, { 'accept-encoding': 'identity', ...range })
  const rest = response.headers.get('content-range') ?? ''
  const isRest = response.status === 206 && begin > 0 && rest.startsWith(`bytes ${begin}-`)
  if (isRest || response.status === 200) return response
  await response.body?.cancel()
  // Whoever cannot send the rest can send all of it.
  if (begin > 0 && (response.status === 206 || response.status === 416)) {
    return requestFrom(source, remote, name, 0)
  }
  throw refusal(source, remote.commit, name, response)
}

async function* bodyOf({ id, signal }: HubSource, response: Response): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) yield chunk as Uint8Array
  } catch (cause) {
    signal?.throwIfAborted()
    throw new HubUnavailable(`fromPretrained: expected all of a file of ${id}, got ${reasonOf(cause)}`, { cause })
  }
}

function urlOf({ endpoint, id }: HubSource, revision: string, name: string): string {
  return `${endpoint}/${id}/resolve/${encodeURIComponent(revision)}/${encodeURIComponent(name)}`
}

/** A redirect that already says all about the file that it leads to: large files lie elsewhere. */
function isLinked({ status, headers }: Response): boolean {
  return status >= 300 && status < 400 && headers.has('x-linked-etag')
}

/** Follows redirects itself, since the token is for the endpoint alone. */
async function request(
  source: HubSource,
  method: 'HEAD' | 'GET',
  url: string,
  headers: Record<string, string>,
): Promise<Response> {
  const { token, endpoint } = source
  let target = new URL(url)
  for (let i = 0; i <= maxRedirects; i++) {
    const isHome = target.origin === new URL(endpoint).origin
    const authorization: Record<string, string> = token && isHome ? { authorization: `Bearer ${token}` } : {}
    const response = await send(source, target, method, { 'user-agent': 'duoformer', ...headers, ...authorization })
    const location = response.headers.get('location')
    const isRedirect = response.status >= 300 && response.status < 400 && location !== null
    if (!isRedirect || (method === 'HEAD' && isLinked(response))) return response
    await response.body?.cancel()
    target = new URL(location, target)
    if (!/^https?:$/.test(target.protocol)) break
  }
  throw new CheckpointError(`fromPretrained: expected ${url} to lead to a file, got redirects to ${target.origin}`)
}

async function send(
  { signal, endpoint }: HubSource,
  target: URL,
  method: string,
  headers: Record<string, string>,
): Promise<Response> {
  const answer = new AbortController()
  const timer = globalThis.setTimeout(
    () => answer.abort(new Error(`no answer in ${answerTimeoutMs / 1000} s`)),
    answerTimeoutMs,
  )
  try {
    const signals = signal ? [signal, answer.signal] : [answer.signal]
    return await fetch(target, { method, headers, redirect: 'manual', signal: AbortSignal.any(signals) })
  } catch (cause) {
    signal?.throwIfAborted()
    throw new HubUnavailable(`fromPretrained: expected an answer from ${endpoint}, got ${reasonOf(cause)}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error && cause.message ? `${message} (${cause.message})` : message
}

function refusal(
  { endpoint, id, token }: HubSource,
  revision: string,
  name: string,
  { status, headers }: Response,
): CheckpointError {
  const got = `status ${status}${headers.has('x-error-message') ? `, ${headers.get('x-error-message')}` : ''}`
  const what = `fromPretrained: expected ${name} of ${id} (revision ${revision}) from ${endpoint}, got ${got}`
  if (status === 408 || status === 429 || status >= 500) {
    const seconds = Number(headers.get('retry-after') ?? Number.NaN)
    return new HubUnavailable(what, { retryAfterMs: seconds >= 0 ? seconds * 1000 : undefined })
  }
  const code = headers.get('x-error-code')
  if (code === 'RevisionNotFound') return new CheckpointError(`${what}: it has no such branch, tag or commit`)
  if (code === 'GatedRepo')
    return new CheckpointError(`${what}: ask for access on its page, and give a token (HF_TOKEN)`)
  const hint = token
    ? 'is the name right, and may the token read it?'
    : 'is the name right? A private one needs a token (HF_TOKEN)'
  return new CheckpointError(`${what}: there is no such folder, either; ${hint}`)
}

async function retrying<T>({ signal }: HubSource, attempts: number, body: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    try {
      return await body()
    } catch (error) {
      if (!(error instanceof HubUnavailable) || attempt >= attempts) throw error
      const delayMs = Math.min(error.retryAfterMs ?? firstDelayMs * 2 ** (attempt - 1), maxDelayMs)
      await setTimeout(delayMs, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted())
    }
  }
}
