import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CheckpointError, type DType, device, SafetensorsFile, StateError } from '../../lib/index.ts'
import { malformed, valid } from './malformed.ts'
import { malformedFolders, writeFiles } from './malformed-folders.ts'
import { bytesOf, type Entry, encode, float32Entry, frame } from './writer.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, bytes)
  return path
}

function refusalOf(path: string): Error | undefined {
  try {
    SafetensorsFile.open(path)
    return undefined
  } catch (error) {
    return error as Error
  }
}

async function loaded(entry: Entry, dtype?: DType) {
  const file = SafetensorsFile.open(write('one.safetensors', encode({ x: entry })))
  const tensor = file.load('x', dtype ? { dtype } : {})
  file.close()
  return { dtype: tensor.dtype, data: [...(await tensor.data())] }
}

describe('a file', () => {
  it('lists names, shapes, dtypes and metadata', () => {
    using file = SafetensorsFile.open(write('valid.safetensors', valid))
    expect(file.names()).toEqual(['empty', 'first.weight', 'ids', 'last', 'scalar'])
    expect(file.info('first.weight')).toEqual({
      name: 'first.weight',
      storedDtype: 'F32',
      dtype: 'float32',
      shape: [2, 3],
    })
    expect(file.info('empty').shape).toEqual([0, 5])
    expect([...file.metadata]).toEqual([['format', 'pt']])
    expect(file.has('none')).toBe(false)
    expect(() => file.info('none')).toThrow(CheckpointError)
    expect(() => file.load('none')).toThrow(/expected a tensor of .*valid\.safetensors, got "none"/)
  })

  it('loads tensors, at any alignment, whole after close', async () => {
    const file = SafetensorsFile.open(write('valid.safetensors', valid))
    const tensors = ['first.weight', 'scalar', 'empty', 'ids', 'last'].map((name) => file.load(name))
    file.close()
    file.close()
    expect(await Promise.all(tensors.map(async (t) => [...(await t.data())]))).toEqual([
      [1, 2, 3, 4, 5, 6],
      [7],
      [],
      [1, 2, 3],
      [8, 9],
    ])
    expect(tensors[1]?.shape).toEqual([])
    expect(() => file.load('ids')).toThrow(StateError)
  })

  it('takes names and metadata of any text', () => {
    const names = ['', 'ü', '日本', '😀', 'a\nb', 'q"\\', '__proto__', 'a\u0000b']
    const header = names.map((name) => `${JSON.stringify(name)}:{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`)
    const metadata = '"__metadata__":{"__proto__":"x","\\ud83d\\ude00":"\\u00e9\\/"}'
    const padded = `{${[metadata, ...header].join(' ,\n')} }   `
    using file = SafetensorsFile.open(write('names.safetensors', frame(padded)))
    expect(new Set(file.names())).toEqual(new Set(names))
    expect([...file.metadata]).toEqual([
      ['__proto__', 'x'],
      ['😀', 'é/'],
    ])
  })

  it('takes an empty header, and members that it does not know', () => {
    expect(SafetensorsFile.open(write('empty.safetensors', frame('{}'))).names()).toEqual([])
    const more = '{"a":{"more":[{"x":-1.5e+3},true,null,"s"],"dtype":"U8","shape":[],"data_offsets":[0,1]}}'
    using file = SafetensorsFile.open(write('more.safetensors', frame(more, Uint8Array.of(5))))
    expect(file.info('a').shape).toEqual([])
  })

  it('reads more than one step of the file', async () => {
    const values = Float64Array.from({ length: 1_200_001 }, (_, i) => i % 65_537)
    const { data } = await loaded({ dtype: 'F64', shape: [values.length], bytes: bytesOf(values) })
    expect(data.every((value, i) => value === i % 65_537)).toBe(true)
  })
})

describe('dtypes', () => {
  const floats = [1, -2.5, 0, Infinity, -Infinity, 65504, 2 ** -14, 2 ** -24]
  const stored: Record<string, ArrayBufferView> = {
    F64: Float64Array.from(floats),
    F32: Float32Array.from(floats),
    F16: Uint16Array.of(0x3c00, 0xc100, 0, 0x7c00, 0xfc00, 0x7bff, 0x0400, 0x0001),
  }
  for (const [name, array] of Object.entries(stored)) {
    it(`${name} becomes any float`, async () => {
      const entry = { dtype: name, shape: [floats.length], bytes: bytesOf(array) }
      const native = name === 'F16' ? 'float16' : 'float32'
      expect(await loaded(entry)).toEqual({ dtype: native, data: floats })
      expect((await loaded(entry, 'float32')).data).toEqual(floats)
      expect((await loaded(entry, 'float16')).data).toEqual(floats)
      // 65504 needs more bits than bfloat16 has, and rounds to nearest.
      expect((await loaded(entry, 'bfloat16')).data).toEqual(floats.map((x) => (x === 65504 ? 65536 : x)))
    })
  }

  it('BF16, NaN included', async () => {
    const entry = { dtype: 'BF16', shape: [3], bytes: bytesOf(Uint16Array.of(0x3f80, 0x7fc0, 0xc020)) }
    expect(await loaded(entry)).toEqual({ dtype: 'bfloat16', data: [1, NaN, -2.5] })
    expect((await loaded(entry, 'float32')).data).toEqual([1, NaN, -2.5])
    expect((await loaded(entry, 'float16')).data).toEqual([1, NaN, -2.5])
  })

  it('integers', async () => {
    const entry = (dtype: string, array: ArrayLike<unknown> & ArrayBufferView): Entry => ({
      dtype,
      shape: [array.length],
      bytes: bytesOf(array),
    })
    const long = entry('I64', BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n, -100n))
    expect(await loaded(long)).toEqual({ dtype: 'int32', data: [-(2 ** 31), 2 ** 31 - 1, -100] })
    expect(await loaded(entry('I32', Int32Array.of(-5, 7)))).toEqual({ dtype: 'int32', data: [-5, 7] })
    expect(await loaded(entry('I32', Int32Array.of(-128, 127)), 'int8')).toEqual({ dtype: 'int8', data: [-128, 127] })
    expect(await loaded(entry('U8', Uint8Array.of(0, 255)))).toEqual({ dtype: 'uint8', data: [0, 255] })
    expect(await loaded(entry('U8', Uint8Array.of(0, 255)), 'int32')).toEqual({ dtype: 'int32', data: [0, 255] })
    expect(await loaded(entry('I8', Int8Array.of(-128, 127)))).toEqual({ dtype: 'int8', data: [-128, 127] })
    expect(await loaded(entry('BOOL', Uint8Array.of(0, 1)))).toEqual({ dtype: 'uint8', data: [0, 1] })
  })

  it('an integer that does not fit fails at the next wait, and its tensor is never half read', async () => {
    const entry = { dtype: 'I64', shape: [2], bytes: bytesOf(BigInt64Array.of(1n, 2n ** 31n)) }
    const file = SafetensorsFile.open(write('large.safetensors', encode({ 'large ids': entry })))
    const tensor = file.load('large ids')
    const message = /expected int32 values in tensor "large ids" of .*large\.safetensors, got one .* element 1/
    await expect(device().synchronize()).rejects.toThrow(message)
    await expect(tensor.data()).rejects.toThrow(/expected inputs that were computed/)
    await expect(loaded({ dtype: 'U8', shape: [1], bytes: Uint8Array.of(128) }, 'int8')).rejects.toThrow(
      CheckpointError,
    )
    await expect(loaded({ dtype: 'I32', shape: [1], bytes: bytesOf(Int32Array.of(-1)) }, 'uint8')).rejects.toThrow(
      CheckpointError,
    )
    expect((await loaded(float32Entry([1], [3]))).data).toEqual([3])
  })

  it('types that are not read may lie in a file, but are not loaded', async () => {
    const entries = { odd: { dtype: 'U16', shape: [1], bytes: new Uint8Array(2) }, fine: float32Entry([1], [3]) }
    using file = SafetensorsFile.open(write('odd.safetensors', encode(entries)))
    expect(file.info('odd').dtype).toBe(null)
    expect(() => file.load('odd')).toThrow(/expected tensor "odd" of .*, got U16/)
    expect(() => file.load('odd', { dtype: 'int32' })).toThrow(CheckpointError)
    expect(() => file.load('fine', { dtype: 'int32' })).toThrow(/becomes int32, got F32/)
    expect([...(await file.load('fine').data())]).toEqual([3])
  })
})

describe('refusals', () => {
  it('every malformed file is refused with a CheckpointError that names it, and the tensor', () => {
    let count = 0
    for (const [name, bytes, tensor] of malformed()) {
      const path = write('malformed.safetensors', bytes)
      const error = refusalOf(path)
      expect(error, name).toBeInstanceOf(CheckpointError)
      expect(error?.message, name).toMatch(/^safetensors: expected .*, got /)
      expect(error?.message, name).toContain(path)
      expect(error?.message, name).toContain(tensor === undefined ? '' : `tensor "${tensor}"`)
      expect(error?.message.length, name).toBeLessThan(600)
      count++
    }
    expect(count).toBeGreaterThan(300)
  })

  it('every malformed folder is, too, with the file and the reason', () => {
    let count = 0
    for (const { name, at, files, reason } of malformedFolders()) {
      const root = mkdtempSync(join(folder, 'malformed-'))
      writeFiles(join(root, at), files)
      const error = refusalOf(join(root, at))
      expect(error, name).toBeInstanceOf(CheckpointError)
      expect(error?.message, name).toMatch(reason)
      expect(error?.message, name).toContain(root)
      rmSync(root, { recursive: true })
      count++
    }
    expect(count).toBeGreaterThan(200)
  })

  it('refusing leaves nothing: no memory, no open file, no tensor', () => {
    const bad = [...malformed()].map(([, bytes], i) => write(`bad/${i}.safetensors`, bytes))
    // A whole file that is refused for its partner: it was open already.
    const shards = { a: 'whole.safetensors', b: 'cut.safetensors' }
    const whole = encode({ a: float32Entry([250_000], new Float32Array(250_000)) })
    write('half/whole.safetensors', whole)
    write('half/cut.safetensors', whole.slice(0, 100))
    write('half/model.safetensors.index.json', JSON.stringify({ weight_map: shards }))
    const round = () => {
      for (const path of [...bad, join(folder, 'half')]) refusalOf(path)
    }
    const footprint = () => ({ files: readdirSync('/proc/self/fd').length, rssBytes: process.memoryUsage.rss() })
    round()
    const before = footprint()
    const { live, tensors } = device().memory()
    for (let i = 0; i < 10; i++) round()
    const after = footprint()
    expect(after.files).toBe(before.files)
    expect(device().memory()).toMatchObject({ live, tensors })
    // Ten rounds of some 600 files: one leaked header each would be several megabytes, one leaked map of a file much more.
    expect(after.rssBytes - before.rssBytes).toBeLessThan(16e6)
  })

  it('paths that are no file', () => {
    expect(() => SafetensorsFile.open(join(folder, 'none'))).toThrow(/none, got No such file/)
    expect(() => SafetensorsFile.open(folder)).toThrow(/expected model\.safetensors or .*, got neither/)
    expect(() => SafetensorsFile.open('/dev/null')).toThrow(/not a regular file/)
    expect(() => SafetensorsFile.open('a\0b')).toThrow(CheckpointError)
    expect(() => SafetensorsFile.open(3 as unknown as string)).toThrow(CheckpointError)
  })

  it('a file that is cut while open', async () => {
    const path = write('cut.safetensors', valid)
    using file = SafetensorsFile.open(path)
    truncateSync(path, 100)
    await expect(file.load('last').data()).rejects.toThrow(/expected .*cut\.safetensors to keep its \d+ bytes/)
  })
})

describe('shards', () => {
  const index = (map: unknown, more = '') => `{"metadata":{"total_size":12}${more},"weight_map":${JSON.stringify(map)}}`
  const shard = (name: string, value: number) => encode({ [name]: float32Entry([1], [value]) }, { shard: name })

  function sharded(name: string, map: unknown): string {
    write(`${name}/one.safetensors`, shard('a', 1))
    write(`${name}/two.safetensors`, shard('b', 2))
    write(`${name}/model.safetensors.index.json`, typeof map === 'string' ? map : index(map))
    return join(folder, name)
  }

  it('are one checkpoint, opened by folder or index', async () => {
    const path = sharded('good', { b: 'two.safetensors', a: 'one.safetensors' })
    for (const at of [path, join(path, 'model.safetensors.index.json')]) {
      using file = SafetensorsFile.open(at)
      expect(file.names()).toEqual(['a', 'b'])
      expect([...(await file.load('b').data())]).toEqual([2])
      expect(file.metadata.get('shard')).toBe('a')
    }
    write('good/model.safetensors', shard('whole', 3))
    expect(SafetensorsFile.open(path).names()).toEqual(['whole'])
  })

  it('may be links within the folder, or to the blobs of its hub cache', () => {
    mkdirSync(join(folder, 'links/model'), { recursive: true })
    write('links/model/real.safetensors', shard('b', 2))
    symlinkSync('real.safetensors', join(folder, 'links/model/in.safetensors'))
    write('links/model/model.safetensors.index.json', index({ b: 'in.safetensors' }))
    expect(SafetensorsFile.open(join(folder, 'links/model')).names()).toEqual(['b'])

    write('hub/blobs/abc', shard('a', 1))
    write('hub/snapshots/main/model.safetensors.index.json', index({ a: 'one.safetensors' }))
    symlinkSync('../../blobs/abc', join(folder, 'hub/snapshots/main/one.safetensors'))
    expect(SafetensorsFile.open(join(folder, 'hub/snapshots/main')).names()).toEqual(['a'])
  })

  it('bring all of their tensors, as other libraries load them', () => {
    const both = encode({ a: float32Entry([1], [1]), more: float32Entry([1], [2]) })
    write('more/one.safetensors', both)
    write('more/model.safetensors.index.json', index({ a: 'one.safetensors' }))
    expect(SafetensorsFile.open(join(folder, 'more')).names()).toEqual(['a', 'more'])
  })
})
