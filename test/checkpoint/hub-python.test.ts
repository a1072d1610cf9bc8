// The cache is shared: what one of the two libraries loads, the other finds. Skipped where Python has no huggingface_hub.
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveModelFolder } from '../../lib/checkpoint/resolve.ts'
import { FakeHub } from './hub-server.ts'
import { encode, float32Entry } from './writer.ts'

const python = process.env.DUOFORMER_PYTHON ?? 'python3'
const hasHub = spawnSync(python, ['-c', 'import huggingface_hub']).status === 0
const commit = 'c'.repeat(40)
const names = ['config.json', 'model.safetensors']

describe.skipIf(!hasHub)('huggingface_hub', () => {
  let hub: FakeHub
  let root: string
  beforeAll(async () => {
    const files = { 'config.json': '{"v": 1}', 'model.safetensors': encode({ w: float32Entry([1], [1]) }) }
    hub = await FakeHub.start({ 'org/model': { refs: { main: commit }, commits: { [commit]: files } } })
    root = mkdtempSync(join(tmpdir(), 'hub-python-'))
    process.env.HF_ENDPOINT = hub.endpoint
  })
  afterAll(async () => {
    delete process.env.HF_ENDPOINT
    await hub.stop()
    rmSync(root, { recursive: true })
  })

  async function pathsOf(mode: 'online' | 'offline', cacheDir: string): Promise<Record<string, string>> {
    const script = fileURLToPath(new URL('hub_cache.py', import.meta.url))
    const args = [script, mode, cacheDir, 'org/model', 'main', ...names]
    const env = { ...process.env, HF_HOME: root, HF_HUB_DISABLE_XET: '1', HF_HUB_DISABLE_PROGRESS_BARS: '1' }
    return JSON.parse((await promisify(execFile)(python, args, { env })).stdout)
  }

  it('finds offline what we loaded', async () => {
    const cacheDir = join(root, 'ours')
    const folder = await resolveModelFolder('org/model', { cacheDir })
    expect(await pathsOf('offline', cacheDir)).toEqual(
      Object.fromEntries(names.map((name) => [name, join(folder, name)])),
    )
  })

  it('loads what we then find offline, in the same places', async () => {
    const cacheDir = join(root, 'theirs')
    const paths = await pathsOf('online', cacheDir)
    const folder = await resolveModelFolder('org/model', { cacheDir, localFilesOnly: true })
    expect(paths).toEqual(Object.fromEntries(names.map((name) => [name, join(folder, name)])))
    await resolveModelFolder('org/model', { cacheDir: join(root, 'ours') })
    const blobs = (dir: string) => readdirSync(join(root, dir, 'models--org--model', 'blobs')).sort()
    expect(blobs('theirs')).toEqual(blobs('ours'))
  })
})
