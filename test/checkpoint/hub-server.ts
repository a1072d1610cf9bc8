// A hub for tests: repositories with commits, files that lie in the repository or, behind a redirect, on another host.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeRepo {
  /** Commit of a branch or tag. */
  refs: Record<string, string>
  /** Files of a commit. */
  commits: Record<string, Record<string, string | Uint8Array>>
  /** Who may read it; everybody if it is not given. */
  token?: string
  /** Where it went. */
  movedTo?: string
}

export interface Seen {
  readonly host: 'hub' | 'storage'
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly range: string | undefined
}

/** What a test may do to a request instead of the answer; true if it did. */
export type Interference = (request: IncomingMessage, response: ServerResponse, body: Buffer | null) => boolean

const largeFile = /\.safetensors$/

export class FakeHub {
  readonly seen: Seen[] = []
  readonly #hub: Server
  readonly #storage: Server
  readonly #contents = new Map<string, Buffer>()
  interfere: Interference = () => false

  private constructor(private readonly repos: Record<string, FakeRepo>) {
    this.#hub = createServer((request, response) => this.#answer(request, response))
    this.#storage = createServer((request, response) => this.#answerStorage(request, response))
  }

  static async start(repos: Record<string, FakeRepo>): Promise<FakeHub> {
    const hub = new FakeHub(repos)
    await new Promise<void>((resolve) => hub.#hub.listen(0, '127.0.0.1', resolve))
    // Another host by name: redirects within one host are part of a hub's own addresses.
    await new Promise<void>((resolve) => hub.#storage.listen(0, 'localhost', resolve))
    return hub
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`
  }

  get #storageUrl(): string {
    return `http://localhost:${(this.#storage.address() as AddressInfo).port}`
  }

  /** Requests as `GET config.json`, in order. */
  requests(): string[] {
    return this.seen.map(({ method, path, host }) => `${host} ${method} ${path.split('/').at(-1)}`)
  }

  #note(host: Seen['host'], { method = '', url = '', headers }: IncomingMessage): void {
    this.seen.push({ host, method, path: url, authorization: headers.authorization, range: headers.range })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#note('hub', request)
    const parts = /^\/(.+)\/resolve\/([^/]+)\/([^/]+)$/.exec(request.url ?? '') ?? []
    const [, id = '', revision = '', name = ''] = parts.map(decodeURIComponent)
    const repo = this.repos[id]
    const refuse = (status: number, code: string) =>
      response.writeHead(status, { 'x-error-code': code, 'x-error-message': `${code} it is` }).end()
    if (repo?.movedTo) {
      response.writeHead(307, { location: (request.url ?? '').replace(id, repo.movedTo) }).end()
      return
    }
    const isAllowed = !repo?.token || request.headers.authorization === `Bearer ${repo.token}`
    if (!repo || !isAllowed) return void refuse(401, 'RepoNotFound')
    const commit = repo.refs[revision] ?? revision
    const files = repo.commits[commit]
    if (!files) return void refuse(404, 'RevisionNotFound')
    const contents = files[name]
    if (contents === undefined) return void refuse(404, 'EntryNotFound')
    this.#send(request, response, commit, name, Buffer.from(contents))
  }

  #send(request: IncomingMessage, response: ServerResponse, commit: string, name: string, body: Buffer): void {
    response.setHeader('x-repo-commit', commit)
    if (largeFile.test(name)) {
      const hash = createHash('sha256').update(body).digest('hex')
      this.#contents.set(`/${hash}`, body)
      response.writeHead(302, {
        location: `${this.#storageUrl}/${hash}`,
        'x-linked-etag': `"${hash}"`,
        'x-linked-size': body.length,
      })
      response.end()
      return
    }
    if (this.interfere(request, response, body)) return
    const hash = createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex')
    response.writeHead(200, { etag: `W/"${hash}"`, 'content-length': body.length })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  #answerStorage(request: IncomingMessage, response: ServerResponse): void {
    this.#note('storage', request)
    const body = this.#contents.get(request.url ?? '') as Buffer
    if (this.interfere(request, response, body)) return
    const begin = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const headers = { 'content-length': body.length - begin, etag: '"of-the-storage"' }
    if (begin === 0) response.writeHead(200, headers)
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${begin}-${body.length - 1}/${body.length}` })
    response.end(body.subarray(begin))
  }
}
