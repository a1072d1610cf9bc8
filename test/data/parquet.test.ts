import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as zlib from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, DataError, data } from '../../lib/index.ts'
import { expectResumable, valuesOf } from './streams.ts'

// 25 rows in groups of 10, written by Arrow.
const golden = (compression: string) =>
  fileURLToPath(new URL(`../golden/parquet/${compression}.parquet`, import.meta.url))
const rowOf = (i: number) => ({
  text: i === 5 ? null : `row ${i} ✓`,
  label: i,
  score: i / 4,
  tokens: [`a${i}`, 'b'],
  big: 2n ** 53n + BigInt(i),
  counts: { n: i },
})
const rows = Array.from({ length: 25 }, (_, i) => rowOf(i))

afterEach(() => vi.doUnmock('hyparquet'))

describe('Parquet', () => {
  it.each(['snappy', 'gzip', 'brotli'])('reads rows packed by %s', async (compression) => {
    expect(await valuesOf(await data.readRows(golden(compression)))).toEqual(rows)
  })

  it('reads rows packed by zstd where Node can', async () => {
    const read = async () => valuesOf(await data.readRows(golden('zstd')))
    if ('zstdDecompressSync' in zlib) expect(await read()).toEqual(rows)
    else await expect(read()).rejects.toThrow(/zstd.parquet, got: .*ZSTD/)
  })

  it('goes on where it was left, also within a group', async () => {
    const streams: data.Stream<data.Row>[] = []
    for (let i = 0; i < 60; i++) streams.push(await data.readRows(golden('snappy'), { epochs: 2 }))
    await expectResumable(() =>
      (streams.pop() as data.Stream<data.Row>).through(data.map(({ text, label }) => ({ text, label }))),
    )
  })

  it('says which file is broken', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parquet-'))
    const path = join(folder, 'a.parquet')
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('no parquet at all'),
      readFileSync(golden('snappy')).subarray(100),
    ]) {
      writeFileSync(path, bytes)
      const read = valuesOf(await data.readRows(path))
      await expect(read).rejects.toThrow(DataError)
      await expect(read).rejects.toThrow(path)
    }
    rmSync(folder, { recursive: true })
  })

  it('says what to install where the package is missing', async () => {
    vi.doMock('hyparquet', () => {
      throw new Error('not there')
    })
    const read = valuesOf(await data.readRows(golden('snappy')))
    await expect(read).rejects.toThrow(ConfigError)
    await expect(read).rejects.toThrow(/npm install hyparquet/)
  })
})
