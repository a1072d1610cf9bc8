import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type DownloadProgress, resolveModelFolder } from '../../lib/checkpoint/resolve.ts'
import { AutoTokenizer, CheckpointError, ConfigError, SafetensorsFile } from '../../lib/index.ts'
import { writeWordPiece } from '../pipelines/tokenizers.ts'
import { FakeHub, type FakeRepo } from './hub-server.ts'
import { encode, float32Entry } from './writer.ts'

const commit = (n: number) => String(n).padStart(40, 'a')
const weights = (value: number, count = 4) => encode({ w: float32Entry([count], Array(count).fill(value)) })
const index = (map: Record<string, string>) => JSON.stringify({ metadata: {}, weight_map: map })

const big = weights(5, 700_000)
const repos: Record<string, FakeRepo> = {
  'org/model': {
    refs: { main: commit(1), v2: commit(2), 'refs/pr/7': commit(3) },
    commits: {
      [commit(1)]: {
        'config.json': '{"v": 1}',
        'model.safetensors': weights(1),
        'tokenizer.json': '{}',
        'README.md': 'x',
        'pytorch_model.bin': 'x',
      },
      [commit(2)]: { 'config.json': '{"v": 2}', 'model.safetensors': weights(1), 'generation_config.json': '{}' },
      [commit(3)]: { 'config.json': '{"v": 3}', 'model.safetensors': weights(3) },
    },
  },
  sharded: {
    refs: { main: commit(1) },
    commits: {
      [commit(1)]: {
        'config.json': '{}',
        'model.safetensors.index.json': index({ a: 'one.safetensors', b: 'two.safetensors' }),
        'one.safetensors': encode({ a: float32Entry([1], [1]) }),
        'two.safetensors': encode({ b: float32Entry([1], [2]) }),
        'three.safetensors': weights(3),
      },
    },
  },
  'org/secret': {
    token: 'hf_secret',
    refs: { main: commit(1) },
    commits: { [commit(1)]: { 'config.json': '{}', 'model.safetensors': weights(1) } },
  },
  'old/name': { movedTo: 'org/model', refs: {}, commits: {} },
  'org/big': { refs: { main: commit(1) }, commits: { [commit(1)]: { 'config.json': '{}', 'model.safetensors': big } } },
  'org/torch': {
    refs: { main: commit(1) },
    commits: { [commit(1)]: { 'config.json': '{}', 'pytorch_model.bin': 'x' } },
  },
  'org/empty': { refs: { main: commit(1) }, commits: { [commit(1)]: { 'README.md': 'x' } } },
  'org/hostile': {
    refs: { main: commit(1) },
    commits: {
      [commit(1)]: { 'config.json': '{}', 'model.safetensors.index.json': index({ a: '../../../x.safetensors' }) },
    },
  },
  'org/hole': {
    refs: { main: commit(1) },
    commits: { [commit(1)]: { 'config.json': '{}', 'model.safetensors.index.json': index({ a: 'gone.safetensors' }) } },
  },
}

let hub: FakeHub
let cacheDir: string
beforeAll(async () => {
  hub = await FakeHub.start(repos)
})
afterAll(() => hub.stop())

beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), 'hub-'))
  for (const name of Object.keys(process.env)) if (/^(HF_|HUGGING|TRANSFORMERS_)/.test(name)) vi.stubEnv(name, '')
  vi.stubEnv('HF_ENDPOINT', `${hub.endpoint}/`)
  vi.stubEnv('HF_HOME', cacheDir)
  hub.seen.length = 0
  hub.interfere = () => false
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(cacheDir, { recursive: true })
})

const resolve = (id: string, options = {}) => resolveModelFolder(id, { cacheDir, ...options })
const valueIn = (folder: string) => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).v

/** All files below a folder, links as `name -> target`. */
function tree(root: string, folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return tree(root, path)
      return [entry.isSymbolicLink() ? `${relative(root, path)} -> ${readlinkSync(path)}` : relative(root, path)]
    })
    .sort()
}

describe('a repository of the hub', () => {
  it('lands in the layout that all libraries share, with the files of a model and no others', async () => {
    const folder = await resolve('org/model')
    const home = `models--org--model`
    expect(folder).toBe(join(cacheDir, home, 'snapshots', commit(1)))
    const sha256 = createHash('sha256').update(weights(1)).digest('hex')
    const git = (text: string) => createHash('sha1').update(`blob ${text.length}\0${text}`).digest('hex')
    const blobs = { 'config.json': git('{"v": 1}'), 'model.safetensors': sha256, 'tokenizer.json': git('{}') }
    expect(tree(cacheDir)).toEqual(
      [
        ...Object.values(blobs).map((etag) => `.locks/${home}/${etag}.lock`),
        ...['generation_config', 'special_tokens_map', 'tokenizer_config'].map(
          (name) => `${home}/.no_exist/${commit(1)}/${name}.json`,
        ),
        ...Object.values(blobs).map((etag) => `${home}/blobs/${etag}`),
        `${home}/refs/main`,
        ...Object.entries(blobs).map(([name, etag]) => `${home}/snapshots/${commit(1)}/${name} -> ../../blobs/${etag}`),
      ].sort(),
    )
    expect(readFileSync(join(cacheDir, home, 'refs/main'), 'utf8')).toBe(commit(1))
    using file = SafetensorsFile.open(folder)
    expect([...(await file.load('w').data())]).toEqual([1, 1, 1, 1])
  })

  it('is asked once; then one request tells that nothing changed, and a commit needs none', async () => {
    const folder = await resolve('org/model')
    hub.seen.length = 0
    expect(await resolve('org/model')).toBe(folder)
    expect(hub.requests()).toEqual(['hub HEAD config.json'])
    hub.seen.length = 0
    expect(await resolve('org/model', { revision: commit(1) })).toBe(folder)
    expect(hub.seen).toEqual([])
  })

  it('has revisions, which share what is equal; a branch may move', async () => {
    await resolve('org/model')
    hub.seen.length = 0
    const folder = await resolve('org/model', { revision: 'v2' })
    expect(valueIn(folder)).toBe(2)
    // The weights are those of the first revision, and an empty object is an empty object under any name.
    expect(hub.requests().filter((line) => line.includes('GET'))).toEqual(['hub GET config.json'])
    expect(valueIn(await resolve('org/model', { revision: 'refs/pr/7' }))).toBe(3)
    expect(valueIn(await resolve('org/model', { revision: commit(3) }))).toBe(3)
    const { refs } = repos['org/model'] as FakeRepo
    refs.main = commit(3)
    try {
      expect(valueIn(await resolve('org/model'))).toBe(3)
    } finally {
      refs.main = commit(1)
    }
    await expect(resolve('org/model', { revision: 'none' })).rejects.toThrow(/no such branch, tag or commit/)
    for (const revision of ['', '../x', '/x', 'a//b', '.', 3]) {
      await expect(resolve('org/model', { revision }), String(revision)).rejects.toThrow(ConfigError)
    }
  })

  it('may be sharded, or wanted without weights', async () => {
    const folder = await resolve('sharded', { weights: false })
    expect(readdirSync(folder)).toEqual(['config.json'])
    expect(await resolve('sharded')).toBe(folder)
    expect(readdirSync(folder).sort()).toEqual([
      'config.json',
      'model.safetensors.index.json',
      'one.safetensors',
      'two.safetensors',
    ])
    using file = SafetensorsFile.open(folder)
    expect(file.names()).toEqual(['a', 'b'])
  })

  it('gives a tokenizer without its weights', async () => {
    const folder = join(cacheDir, 'words')
    writeWordPiece(folder, 48)
    const files = ['tokenizer.json', 'tokenizer_config.json'].map((name) => [name, readFileSync(join(folder, name))])
    const commits = { [commit(2)]: { 'config.json': '{}', 'model.safetensors': big, ...Object.fromEntries(files) } }
    repos['org/words'] = { refs: { v2: commit(2) }, commits }
    const tokenizer = await AutoTokenizer.fromPretrained('org/words', { cacheDir, revision: 'v2' })
    expect(tokenizer.modelMaxLength).toBe(48)
    expect((await tokenizer.encode('the movie')).tokens).toEqual(['[CLS]', 'the', 'movie', '[SEP]'])
    expect(hub.requests().some((request) => request.includes('safetensors'))).toBe(false)
    await expect(AutoTokenizer.fromPretrained('org/big', { cacheDir })).rejects.toThrow(/expected tokenizer\.json in /)
  })

  it('that was renamed is found under its old name', async () => {
    expect(valueIn(await resolve('old/name'))).toBe(1)
  })

  it('that is not there, or has no weights that are read, says what to do', async () => {
    await expect(resolve('org/none')).rejects.toThrow(/status 401, RepoNotFound it is: .*needs a token \(HF_TOKEN\)/)
    await expect(resolve('org/empty')).rejects.toThrow(
      /expected config\.json in org\/empty \(revision main\), got none/,
    )
    await expect(resolve('org/torch')).rejects.toThrow(/got only pytorch_model\.bin: in Python, .*save_pretrained/)
    await expect(resolve('org/hole')).rejects.toThrow(/expected gone\.safetensors in org\/hole, as its index says/)
    await expect(resolve('org/hostile')).rejects.toThrow(/plain file names, got string "\.\.\/\.\.\/\.\./)
    for (const id of ['org/torch', 'org/empty', 'org/hostile', 'org/hole']) {
      await expect(resolve(id), id).rejects.toThrow(CheckpointError)
      expect(existsSync(join(cacheDir, `models--${id.replace('/', '--')}`, 'refs'))).toBe(false)
    }
  })

  it('answers that are none are refused', async () => {
    const headers: Record<string, string>[] = [
      { etag: '"x"', 'content-length': '2' },
      { 'x-repo-commit': '../../x', etag: '"x"', 'content-length': '2' },
      { 'x-repo-commit': commit(1), etag: '"../x"', 'content-length': '2' },
      { 'x-repo-commit': commit(1), 'content-length': '2' },
      { 'x-repo-commit': commit(1), etag: '"x"', 'x-linked-size': '-1' },
    ]
    for (const header of headers) {
      hub.interfere = (_, response) => {
        response.removeHeader('x-repo-commit')
        response.writeHead(200, header).end()
        return true
      }
      await expect(resolve('org/model')).rejects.toThrow(/expected commit, etag and size of config\.json of org\/model/)
    }
    hub.interfere = (request, response) => {
      response.writeHead(302, { location: request.url }).end()
      return true
    }
    await expect(resolve('org/model')).rejects.toThrow(/got redirects to/)
    expect(readdirSync(cacheDir)).toEqual([])
  })
})

describe('a token', () => {
  it('is for the hub alone, not for where it redirects to', async () => {
    await resolve('org/secret', { token: 'hf_secret' })
    const storage = hub.seen.filter(({ host }) => host === 'storage')
    expect(storage.length).toBe(1)
    expect(storage[0]?.authorization).toBe(undefined)
    const atHub = hub.seen.filter(({ host }) => host === 'hub')
    expect(atHub.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true)
  })

  it('comes from the environment or the file that login writes, unless it is given or refused', async () => {
    const tokenOf = async (options = {}) => {
      hub.seen.length = 0
      await resolve('org/model', options)
      return hub.seen[0]?.authorization
    }
    expect(await tokenOf()).toBe(undefined)
    writeFileSync(join(cacheDir, 'token'), 'hf_file\n')
    expect(await tokenOf()).toBe('Bearer hf_file')
    vi.stubEnv('HF_TOKEN', ' hf_env ')
    expect(await tokenOf()).toBe('Bearer hf_env')
    expect(await tokenOf({ token: 'hf_given' })).toBe('Bearer hf_given')
    expect(await tokenOf({ token: false })).toBe(undefined)
    vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '1')
    expect(await tokenOf()).toBe(undefined)
  })

  it('that is missing or wrong is asked for', async () => {
    await expect(resolve('org/secret')).rejects.toThrow(/A private one needs a token \(HF_TOKEN\)/)
    await expect(resolve('org/secret', { token: 'hf_wrong' })).rejects.toThrow(/may the token read it/)
    await expect(resolve('org/secret', { token: 'hf_wrong' })).rejects.not.toThrow(/hf_wrong/)
  })
})

describe('a download', () => {
  const blob = join('models--org--big', 'blobs', createHash('sha256').update(big).digest('hex'))
  const isBig = (body: Buffer | null) => body?.length === big.length

  it('reports its progress', async () => {
    const events: DownloadProgress[] = []
    await resolve('org/big', { onProgress: (event: DownloadProgress) => events.push(event) })
    const ofWeights = events.filter(({ file }) => file === 'model.safetensors')
    expect(ofWeights[0]).toEqual({ file: 'model.safetensors', loadedBytes: 0, totalBytes: big.length })
    expect(ofWeights.at(-1)?.loadedBytes).toBe(big.length)
    expect(ofWeights.length).toBeLessThan(6)
    const loaded = ofWeights.map(({ loadedBytes }) => loadedBytes)
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b))
  })

  it('that breaks off goes on where it stopped', async () => {
    let broken = 0
    hub.interfere = (request, response, body) => {
      if (!isBig(body) || broken === 2) return false
      const begin = broken++ * 1_000_000
      expect(request.headers.range).toBe(begin === 0 ? undefined : `bytes=${begin}-`)
      const range = { 'content-range': `bytes ${begin}-${big.length - 1}/${big.length}` }
      response.writeHead(begin === 0 ? 200 : 206, { 'content-length': big.length - begin, ...range })
      response.write(big.subarray(begin, begin + 1_000_000), () => setTimeout(() => response.destroy(), 50))
      return true
    }
    await resolve('org/big')
    expect(readFileSync(join(cacheDir, blob)).equals(big)).toBe(true)
    expect(hub.seen.filter(({ host }) => host === 'storage').map(({ range }) => range)).toEqual([
      undefined,
      'bytes=1000000-',
      'bytes=2000000-',
    ])
    expect(existsSync(join(cacheDir, `${blob}.incomplete`))).toBe(false)
  })

  it('resumes a part that another process left, and starts again where that part is of another file', async () => {
    mkdirSync(join(cacheDir, 'models--org--big', 'blobs'), { recursive: true })
    for (const part of [big.subarray(0, 12345), Buffer.alloc(54321, 1), Buffer.alloc(big.length + 5)]) {
      writeFileSync(join(cacheDir, `${blob}.incomplete`), part)
      await resolve('org/big')
      expect(readFileSync(join(cacheDir, blob)).equals(big)).toBe(true)
      rmSync(join(cacheDir, blob))
    }
    expect(hub.seen.filter(({ host }) => host === 'storage').map(({ range }) => range)).toEqual([
      'bytes=12345-',
      'bytes=54321-',
      undefined,
      undefined,
    ])
  })

  it('of a server that knows no ranges starts from the begin', async () => {
    mkdirSync(join(cacheDir, 'models--org--big', 'blobs'), { recursive: true })
    for (const status of [200, 206, 416]) {
      writeFileSync(join(cacheDir, `${blob}.incomplete`), big.subarray(0, 100))
      hub.interfere = (request, response, body) => {
        if (!isBig(body)) return false
        const isAll = status === 200 || !request.headers.range
        response.writeHead(isAll ? 200 : status, isAll ? { 'content-length': big.length } : {})
        response.end(isAll ? body : undefined)
        return true
      }
      await resolve('org/big')
      expect(readFileSync(join(cacheDir, blob)).equals(big)).toBe(true)
      rmSync(join(cacheDir, blob))
    }
  })

  it('that comes damaged, too short or too long is refused, and nothing stays of it', async () => {
    const bodies = { damaged: Buffer.alloc(big.length), long: Buffer.concat([big, big]) }
    for (const [name, body] of Object.entries(bodies)) {
      hub.interfere = (_, response, asked) => {
        if (!isBig(asked)) return false
        response.writeHead(200, { 'content-length': body.length }).end(body)
        return true
      }
      const message = name === 'damaged' ? /with SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}: it came damaged/ : /got more/
      await expect(resolve('org/big'), name).rejects.toThrow(message)
      expect(existsSync(join(cacheDir, blob))).toBe(false)
      expect(existsSync(join(cacheDir, 'models--org--big', 'refs'))).toBe(false)
    }
  })

  it('is tried again while the hub has no time', async () => {
    let busy = 2
    hub.interfere = (_, response) => {
      if (busy-- <= 0) return false
      response.writeHead(busy === 1 ? 503 : 429, { 'retry-after': '0' }).end()
      return true
    }
    expect(valueIn(await resolve('org/model'))).toBe(1)
    expect(busy).toBeLessThan(0)
  })

  it('stops at a signal, keeps what came, and goes on later', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    hub.interfere = (_, response, body) => {
      if (!isBig(body)) return false
      response.writeHead(200, { 'content-length': big.length })
      response.write(big.subarray(0, 1_500_000))
      return true
    }
    const onProgress = ({ file, loadedBytes }: DownloadProgress) => {
      if (file === 'model.safetensors' && loadedBytes > 0) controller.abort(reason)
    }
    await expect(resolve('org/big', { signal: controller.signal, onProgress })).rejects.toBe(reason)
    const { size } = lstatSync(join(cacheDir, `${blob}.incomplete`))
    expect(size).toBeGreaterThan(0)
    hub.interfere = () => false
    await resolve('org/big')
    expect(hub.seen.at(-1)?.range).toBe(`bytes=${size}-`)
    expect(readFileSync(join(cacheDir, blob)).equals(big)).toBe(true)
    await expect(resolve('org/model', { signal: controller.signal })).rejects.toBe(reason)
  })

  it('by many at once happens once', async () => {
    const folders = await Promise.all(Array.from({ length: 6 }, () => resolve('org/big')))
    expect(new Set(folders).size).toBe(1)
    expect(hub.requests().filter((line) => line.startsWith('storage'))).toHaveLength(1)
  })
})

describe('offline', () => {
  it('the cache serves what it holds whole, as other libraries leave it', async () => {
    const home = join(cacheDir, 'hub', 'models--org--cached')
    for (const path of ['refs', 'blobs', `snapshots/${commit(9)}`]) mkdirSync(join(home, path), { recursive: true })
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    const load = () => resolveModelFolder('org/cached')
    await expect(load()).rejects.toThrow(
      /expected org\/cached \(revision main\) in .*hub, got none that is whole: load it/,
    )
    writeFileSync(join(home, 'refs/main'), commit(9))
    writeFileSync(join(home, `snapshots/${commit(9)}/config.json`), '{"v": 9}')
    await expect(load()).rejects.toThrow(/got none that is whole/)
    expect(valueIn(await resolveModelFolder('org/cached', { weights: false }))).toBe(9)
    writeFileSync(join(home, `snapshots/${commit(9)}/model.safetensors.index.json`), index({ w: 'one.safetensors' }))
    await expect(load()).rejects.toThrow(/got none that is whole/)
    writeFileSync(join(home, `snapshots/${commit(9)}/one.safetensors`), weights(9))
    expect(valueIn(await load())).toBe(9)
    expect(hub.seen).toEqual([])
  })

  it('may be asked for, or be the state of the network', async () => {
    const folder = await resolve('org/model')
    hub.seen.length = 0
    expect(await resolve('org/model', { localFilesOnly: true })).toBe(folder)
    await expect(resolve('org/model', { localFilesOnly: true, revision: 'v2' })).rejects.toThrow(CheckpointError)
    vi.stubEnv('TRANSFORMERS_OFFLINE', 'yes')
    expect(await resolve('org/model')).toBe(folder)
    expect(hub.seen).toEqual([])
    vi.stubEnv('TRANSFORMERS_OFFLINE', '')
    // Nobody listens there.
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:1')
    expect(await resolve('org/model')).toBe(folder)
    vi.stubEnv('HF_ENDPOINT', 'ftp://x')
    await expect(resolve('org/model')).rejects.toThrow(/HF_ENDPOINT: expected an http or https address/)
  })

  it('the hub that cannot be reached is named', async () => {
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:1')
    await expect(resolve('org/other')).rejects.toThrow(
      /expected an answer from http:\/\/127\.0\.0\.1:1, got fetch failed/,
    )
  }, 20_000)

  it('the places of the cache follow the environment', async () => {
    const at = async () => relative(realpathSync(cacheDir), realpathSync(await resolveModelFolder('org/model')))
    expect(await at()).toMatch(/^hub\/models--org--model/)
    vi.stubEnv('HUGGINGFACE_HUB_CACHE', join(cacheDir, 'older'))
    expect(await at()).toMatch(/^older\//)
    vi.stubEnv('HF_HUB_CACHE', join(cacheDir, 'newer'))
    expect(await at()).toMatch(/^newer\//)
    vi.stubEnv('HF_HUB_CACHE', '')
    vi.stubEnv('HUGGINGFACE_HUB_CACHE', '')
    vi.stubEnv('HF_HOME', '')
    vi.stubEnv('XDG_CACHE_HOME', join(cacheDir, 'xdg'))
    expect(await at()).toMatch(/^xdg\/huggingface\/hub\//)
  })
})

describe('a folder', () => {
  it('comes before the hub, and what is neither is refused', async () => {
    expect(await resolve(cacheDir)).toBe(cacheDir)
    for (const path of [
      './none',
      '/none/at/all',
      'a/b/c',
      '../x',
      'a--b',
      'x.git',
      '.hidden',
      'a b',
      `${'x'.repeat(97)}`,
    ]) {
      await expect(resolve(path), path).rejects.toThrow(/expected a folder or a hub id, got nothing at/)
    }
    writeFileSync(join(cacheDir, 'file'), '')
    await expect(resolve(join(cacheDir, 'file'))).rejects.toThrow(/got a file at/)
    for (const path of ['', 'a\0b', null, 3]) await expect(resolve(path as string)).rejects.toThrow(CheckpointError)
    expect(hub.seen).toEqual([])
  })
})
