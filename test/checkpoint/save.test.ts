import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { saveFolder } from '../../lib/checkpoint/save-folder.ts'
import {
  CheckpointError,
  ConfigError,
  DTypeError,
  device,
  ops,
  SafetensorsFile,
  StateError,
  saveSafetensors,
  Tensor,
} from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'

let folder: string
let tensorsBefore: number
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'save-'))
  tensorsBefore = device().memory().tensors
})
afterEach(() => {
  rmSync(folder, { recursive: true })
  expect(device().memory().tensors).toBe(tensorsBefore)
})

const at = (...parts: string[]) => join(folder, ...parts)

async function contentsOf(path: string): Promise<Record<string, number[]>> {
  using file = SafetensorsFile.open(path)
  const contents: Record<string, number[]> = {}
  for (const name of file.names()) {
    using tensor = file.load(name)
    contents[name] = Array.from(await tensor.data())
  }
  return contents
}

function headerOf(path: string): string {
  const bytes = readFileSync(path)
  return bytes.toString('latin1', 8, 8 + Number(bytes.readBigUInt64LE()))
}

/** Runs `use` with some tensors and disposes of them. */
async function withTensors<T>(values: Record<string, Tensor>, use: (t: Record<string, Tensor>) => Promise<T>) {
  try {
    return await use(values)
  } finally {
    for (const tensor of Object.values(values)) tensor.dispose()
  }
}

describe('a file', () => {
  it('is laid out as the format asks: sorted, aligned, without gaps, marked pt', async () => {
    const tensors = {
      b: Tensor.from([[1, 2]]),
      a: Tensor.from([3]),
      'z.byte': Tensor.from(Uint8Array.of(7, 8, 9)),
      half: Tensor.from([0.5], { dtype: 'float16' }),
      id: Tensor.from(Int32Array.of(-4)),
      scalar: Tensor.from(5, { shape: [] }),
      empty: Tensor.from([], { shape: [0, 3] }),
      'é\n"': Tensor.from([6]),
    }
    await withTensors(tensors, () => saveSafetensors(at('x.safetensors'), tensors))
    const header = headerOf(at('x.safetensors'))
    expect(header.length % 8).toBe(0)
    const parsed = JSON.parse(Buffer.from(header, 'latin1').toString())
    expect(Object.keys(parsed)).toEqual(['__metadata__', 'a', 'b', 'empty', 'id', 'scalar', 'é\n"', 'half', 'z.byte'])
    expect(parsed.__metadata__).toEqual({ format: 'pt' })
    expect(parsed.half).toEqual({ dtype: 'F16', shape: [1], data_offsets: [24, 26] })
    expect(await contentsOf(at('x.safetensors'))).toEqual({
      a: [3],
      b: [1, 2],
      empty: [],
      half: [0.5],
      id: [-4],
      scalar: [5],
      'z.byte': [7, 8, 9],
      'é\n"': [6],
    })
    expect(readdirSync(folder)).toEqual(['x.safetensors'])
  })

  it('of 16-bit floats holds them rounded to nearest even; integers stay', async () => {
    const values = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 1e-7, -3, 1e30, Number.NaN]
    const tensors = {
      x: Tensor.from(values),
      half: Tensor.from([0.1], { dtype: 'float16' }),
      n: Tensor.from(Int32Array.of(9)),
    }
    await withTensors(tensors, async () => {
      for (const dtype of ['float16', 'bfloat16', 'float32'] as const) {
        await saveSafetensors(at(dtype), tensors, { dtype, metadata: { about: 'é' } })
        using file = SafetensorsFile.open(at(dtype))
        expect(file.info('x').dtype).toBe(dtype)
        expect(file.info('half').dtype).toBe(dtype)
        expect(file.info('n').dtype).toBe('int32')
        expect([...file.metadata]).toEqual([['about', 'é']])
        using expected = native.cast(tensors.x, { dtype })
        expect((await contentsOf(at(dtype))).x).toEqual([...(await expected.data())])
      }
    })
  })

  it('of more than one step of the writer', async () => {
    const values = Float32Array.from({ length: 2_500_003 }, (_, i) => i % 1021)
    await withTensors({ a: Tensor.from(values), b: Tensor.from([1]) }, async (tensors) => {
      await saveSafetensors(at('large'), tensors)
      await saveSafetensors(at('half'), tensors, { dtype: 'float16' })
    })
    for (const name of ['large', 'half']) {
      const contents = await contentsOf(at(name))
      expect(contents.a?.every((value, i) => value === i % 1021)).toBe(true)
      expect(contents.b).toEqual([1])
    }
  })

  it('holds what a view shows', async () => {
    await withTensors(
      {
        x: Tensor.from([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      },
      async ({ x }) => {
        using transposed = ops.transpose(x!, 0, 1)
        using row = ops.slice(x!, 0, 1, 2)
        await saveSafetensors(
          at('views'),
          new Map([
            ['t', transposed],
            ['row', row],
          ]),
        )
      },
    )
    expect(await contentsOf(at('views'))).toEqual({ t: [1, 4, 2, 5, 3, 6], row: [4, 5, 6] })
  })

  it('takes tensors that are disposed of at once, and refuses those that are updated meanwhile', async () => {
    const x = Tensor.from([1, 2])
    const saved = saveSafetensors(at('x'), { x })
    x.dispose()
    await saved
    expect(await contentsOf(at('x'))).toEqual({ x: [1, 2] })

    const y = Tensor.from([1, 2])
    const torn = saveSafetensors(at('x'), { y })
    native.fill(y, { value: 3 })
    await expect(torn).rejects.toThrow(/expected tensor "y" to stay as it is .*, got an update/)
    await expect(torn).rejects.toThrow(StateError)
    expect(await contentsOf(at('x'))).toEqual({ x: [1, 2] })
    y.dispose()
  })

  it('refuses what is no tensor, no name, or no dtype, before anything is written', async () => {
    const x = Tensor.from([1])
    const save = (tensors: object, options = {}) => saveSafetensors(at('none'), tensors as never, options)
    await expect(save({ x, y: [1] })).rejects.toThrow(DTypeError)
    await expect(save({ x, __metadata__: x })).rejects.toThrow(CheckpointError)
    await expect(save({ '\ud800': x })).rejects.toThrow(CheckpointError)
    await expect(save({ x }, { dtype: 'int8' })).rejects.toThrow(ConfigError)
    await expect(save({ x }, { dtype: 'f16' })).rejects.toThrow(ConfigError)
    x.dispose()
    await expect(save({ x })).rejects.toThrow(StateError)
    expect(readdirSync(folder)).toEqual([])
  })

  it("is a failed op's error where a tensor was never computed", async () => {
    using table = Tensor.from([[1], [2]])
    using ids = Tensor.from(Int32Array.of(5))
    using bad = ops.embedding(table, ids)
    await expect(saveSafetensors(at('bad'), { bad })).rejects.toThrow(/embedding/)
    expect(readdirSync(folder)).toEqual([])
    await device().synchronize()
  })

  it('gives up on a signal, with its reason', async () => {
    await withTensors({ x: Tensor.from([1]) }, async (tensors) => {
      const reason = new Error('enough')
      await expect(saveSafetensors(at('x'), tensors, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    })
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('a folder', () => {
  const save = (dir: string, value: number, options = {}) =>
    withTensors({ a: Tensor.full([4], value), b: Tensor.full([2, 4], value) }, (tensors) =>
      saveFolder(dir, { 'config.json': `{"v": ${value}}\n` }, { tensors, ...options }),
    )
  const config = (dir: string) => JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')).v

  it('appears whole, with the parents that it needs', async () => {
    await save(at('x', 'y', 'model'), 1)
    expect(readdirSync(at('x', 'y'))).toEqual(['model'])
    expect(readdirSync(at('x', 'y', 'model')).sort()).toEqual(['config.json', 'model.safetensors'])
    expect(await contentsOf(at('x', 'y', 'model'))).toEqual({ a: [1, 1, 1, 1], b: Array(8).fill(1) })
  })

  it('keeps files of other names and replaces weights of another layout', async () => {
    const dir = at('model')
    await save(dir, 1)
    writeFileSync(join(dir, 'spiece.model'), 'vocabulary')
    mkdirSync(join(dir, 'checkpoint-5'))
    await save(dir, 2, { maxShardSize: 20 })
    expect(readdirSync(dir).sort()).toEqual([
      'checkpoint-5',
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
      'spiece.model',
    ])
    expect(await contentsOf(dir)).toEqual({ a: Array(4).fill(2), b: Array(8).fill(2) })
    expect(JSON.parse(readFileSync(join(dir, 'model.safetensors.index.json'), 'utf8'))).toEqual({
      metadata: { total_parameters: 12, total_size: 48 },
      weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
    })
    await saveFolder(dir, { 'generation_config.json': '{}' })
    expect(await contentsOf(dir)).toEqual({ a: Array(4).fill(2), b: Array(8).fill(2) })
    await save(dir, 3)
    expect(readdirSync(dir).sort()).toEqual([
      'checkpoint-5',
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'spiece.model',
    ])
    expect(config(dir)).toBe(3)
  })

  it('is cut into shards by their size', async () => {
    const tensors = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`t${i}`, Tensor.full([250], i)]))
    await withTensors(tensors, async () => {
      const shards: [number | string, number][] = [
        [2000, 3],
        ['2KB', 3],
        ['1.96 KiB', 3],
        [1999, 5],
        [1, 5],
        ['5GB', 1],
      ]
      for (const [maxShardSize, count] of shards) {
        await saveFolder(at('s'), {}, { tensors, maxShardSize })
        const files = readdirSync(at('s')).filter((name) => name.endsWith('.safetensors'))
        expect(files.length, String(maxShardSize)).toBe(count)
        expect(Object.values(await contentsOf(at('s'))).map((values) => values[0])).toEqual([0, 1, 2, 3, 4])
      }
      for (const maxShardSize of [0, -1, Number.NaN, '5', '', 'GB', '5 gigabytes']) {
        await expect(saveFolder(at('s'), {}, { tensors, maxShardSize })).rejects.toThrow(ConfigError)
      }
    })
  })

  it("may be a link; a file in its place, or a folder in a file's, is refused and nothing changes", async () => {
    await save(at('real'), 1)
    symlinkSync('real', at('link'))
    await save(at('link'), 2)
    expect(config(at('real'))).toBe(2)
    expect(statSync(at('link')).isDirectory()).toBe(true)
    writeFileSync(at('file'), 'text')
    await expect(save(at('file'), 3)).rejects.toThrow(/expected a folder .*, got a file/)
    expect(readFileSync(at('file'), 'utf8')).toBe('text')
    mkdirSync(at('odd', 'config.json'), { recursive: true })
    await expect(save(at('odd'), 3)).rejects.toThrow(/expected a file .*config\.json, got a folder/)
    expect(readdirSync(at('odd'))).toEqual(['config.json'])
    for (const name of ['../x', '/x', '.', '..', '', 'a/b', 'a\0b', 'model.safetensors']) {
      await expect(saveFolder(at('names'), { [name]: '' }), name).rejects.toThrow(CheckpointError)
    }
    expect(existsSync(at('names'))).toBe(false)
  })

  it('of many saves at once is one of them', async () => {
    for (const dir of ['new', 'old']) {
      if (dir === 'old') await save(at(dir), 99)
      const saves = Array.from({ length: 8 }, (_, i) => save(at(dir), i, { maxShardSize: i % 2 === 0 ? 20 : '5GB' }))
      await Promise.all(saves)
      const value = config(at(dir))
      expect(await contentsOf(at(dir))).toEqual({ a: Array(4).fill(value), b: Array(8).fill(value) })
      expect(readdirSync(at(dir)).length).toBe(value % 2 === 0 ? 4 : 2)
    }
    expect(readdirSync(folder).sort()).toEqual(['new', 'old'])
  })

  it.skipIf(process.getuid?.() === 0)('that may not be written says so', async () => {
    mkdirSync(at('locked'))
    chmodSync(at('locked'), 0o555)
    await expect(save(at('locked'), 1)).rejects.toThrow(/expected to save .*locked, got EACCES/)
    await expect(save(at('locked', 'a', 'b'), 1)).rejects.toThrow(CheckpointError)
  })
})

describe('what goes wrong', () => {
  const script = fileURLToPath(new URL('saver.ts', import.meta.url))
  const args = ['--import', 'tsx', script]

  it('a disk that is full leaves the old files whole, and nothing else', async () => {
    for (const dir of ['old', 'new']) {
      if (dir === 'old') spawnSync(process.execPath, [...args, at(dir), '1', 'once'])
      // A limit on the size of files stands for the disk: 0.5 MB, while the weights take 1 MB.
      const full = spawnSync(
        'sh',
        ['-c', `ulimit -f 1000; exec "$@"`, 'sh', process.execPath, ...args, at(dir), '2', 'once'],
        {
          encoding: 'utf8',
        },
      )
      expect(full.stderr).toMatch(/CheckpointError: .*expected to write .*model\.safetensors, got File too large/)
      expect(full.status).toBe(1)
    }
    expect(readdirSync(folder)).toEqual(['old'])
    expect(readdirSync(at('old')).sort()).toEqual(['config.json', 'model.safetensors'])
    expect((await contentsOf(at('old'))).a?.every((x) => x === 1)).toBe(true)
  })

  it('a process that is killed leaves a whole checkpoint; the next save removes what it left', async () => {
    const dir = at('model')
    spawnSync(process.execPath, [...args, dir, '1', 'once'])
    for (const delayMs of [0, 4, 11, 25]) {
      const child = spawn(process.execPath, [...args, dir, '2', 'forever'], { stdio: ['ignore', 'pipe', 'inherit'] })
      await new Promise((resolve) => child.stdout.once('data', resolve))
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      const { a, ...others } = await contentsOf(dir)
      expect(others).toEqual({})
      expect(a?.length).toBe(250_000)
      expect(a?.every((x) => x === a[0])).toBe(true)
    }
    await withTensors({ a: Tensor.from([7]) }, (tensors) => saveFolder(dir, {}, { tensors }))
    expect(readdirSync(dir).sort()).toEqual(['config.json', 'model.safetensors'])
    expect(readdirSync(folder)).toEqual(['model'])
  })

  it('processes that save into one folder take turns', async () => {
    const children = [1, 2, 3].map((value) => spawn(process.execPath, [...args, at('model'), String(value), 'five']))
    const codes = await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))))
    expect(codes).toEqual([0, 0, 0])
    const value = JSON.parse(readFileSync(at('model', 'config.json'), 'utf8')).value
    expect((await contentsOf(at('model'))).a?.every((x) => x === value)).toBe(true)
    expect(readdirSync(at('model')).sort()).toEqual(['config.json', 'model.safetensors'])
    expect(readdirSync(folder)).toEqual(['model'])
  })
})
