import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError, DataError, DTypeError, data } from '../../lib/index.ts'
import { expectResumable, valuesOf } from './streams.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sources-'))
})
afterAll(() => rmSync(root, { recursive: true }))

/** Writes a file and gives its path. */
function file(name: string, content: string | Buffer): string {
  const path = join(root, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return path
}

const rows = async (paths: string | string[], options: data.RowOptions = {}) =>
  valuesOf(await data.readRows(paths, options))
const texts = async (paths: string | string[], options: data.RowOptions = {}) =>
  (await rows(paths, options)).map(({ text }) => text)

describe('text', () => {
  const poem = 'one\r\n\n  \ntwo\nthree\n\n\n\nfour ✓'

  it('by lines, documents and files', async () => {
    const path = file('poem.txt', poem)
    expect(await texts(path)).toEqual(['one', 'two', 'three', 'four ✓'])
    expect(await texts(path, { unit: 'document' })).toEqual(['one', 'two\nthree', 'four ✓'])
    expect(await texts(path, { unit: 'file' })).toEqual(['one\n\n\ntwo\nthree\n\n\n\nfour ✓'])
  })

  it('with a byte order mark, without a last line end, and from several files', async () => {
    const a = file('a.txt', '\ufeffa\nb\n')
    const b = file('b.txt', '\ufeffc')
    expect(await texts([a, b])).toEqual(['a', 'b', 'c'])
    expect(await texts([a, b], { unit: 'file' })).toEqual(['a\nb', 'c'])
  })

  it('in chunks that cut lines and characters', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => '✓'.repeat(i % 401) + i)
    const path = file('long.txt', `${lines.join('\n')}\n`)
    expect(await texts(path)).toEqual(lines)
    expect(await texts(file('one-line.txt', 'ü'.repeat(1_000_000)))).toEqual(['ü'.repeat(1_000_000)])
  })

  it('refuses what is no UTF-8, with file and line', async () => {
    const path = file('latin.txt', Buffer.concat([Buffer.from('fine\nalso ✓\n'), Buffer.of(0x62, 0xfc, 0x0a)]))
    await expect(rows(path)).rejects.toThrow(DataError)
    await expect(rows(path)).rejects.toThrow(`${path}:3`)
  })

  it('refuses files in which there is nothing', async () => {
    await expect(rows(file('empty.txt', ''))).rejects.toThrow(/expected rows in .*empty.txt/)
    expect(await texts([join(root, 'empty.txt'), file('full.txt', 'x')])).toEqual(['x'])
  })
})

describe('gzip', () => {
  it('is told by its content, also in several members', async () => {
    const packed = Buffer.concat([gzipSync('one\ntw'), gzipSync('o\n')])
    expect(await texts(file('packed.txt.gz', packed))).toEqual(['one', 'two'])
    expect(await texts(file('packed.txt', packed))).toEqual(['one', 'two'])
    expect(await texts(file('not-packed.txt.gz', 'one\n'))).toEqual(['one'])
  })

  it('that ends too early is an error that names the file', async () => {
    const path = file('cut.jsonl.gz', gzipSync('{"a": 1}\n'.repeat(1000)))
    truncateSync(path, 30)
    await expect(rows(path)).rejects.toThrow(DataError)
    await expect(rows(path)).rejects.toThrow(/cut.jsonl.gz, got: unexpected end of file/)
  })
})

describe('JSON Lines', () => {
  it('reads objects', async () => {
    const path = file('a.jsonl', '{"text": "a\\nb", "label": 1}\r\n\n{"list": [1, null]}')
    expect(await rows(path)).toEqual([{ text: 'a\nb', label: 1 }, { list: [1, null] }])
  })

  it.each([
    ['{"a": 1}\n\n{"a": }\n', /:3, got: .*JSON/],
    ['{"a": 1}\n[1]\n', /expected an object at .*:2, got an array/],
    ['null', /:1, got null/],
    ['{}\n{}\n"x"', /:3, got a string/],
  ])('refuses %j with file and line', async (content, message) => {
    const path = file('broken.jsonl', content)
    await expect(rows(path)).rejects.toThrow(DataError)
    await expect(rows(path)).rejects.toThrow(message)
    await expect(rows(path)).rejects.toThrow(path)
  })
})

describe('CSV and TSV', () => {
  it('reads rows by column, with quoted fields', async () => {
    const content = 'a,b,"c ""d"""\r\n1,"x, ""y""\r\nz",3\r\n\r\n"",,5" disk\r\n"é✓",\'q\', '
    expect(await rows(file('a.csv', content))).toEqual([
      { a: '1', b: 'x, "y"\r\nz', 'c "d"': '3' },
      { a: '', b: '', 'c "d"': '5" disk' },
      { a: 'é✓', b: "'q'", 'c "d"': ' ' },
    ])
  })

  it('reads TSV, and quotes as characters where told', async () => {
    const path = file('a.tsv', 'sentence\tlabel\n"quoted\tfield"\t1\n')
    expect(await rows(path)).toEqual([{ sentence: 'quoted\tfield', label: '1' }])
    const plain = file('plain.tsv', 'sentence\tlabel\n" so it began\t1\n')
    expect(await rows(plain, { quote: null })).toEqual([{ sentence: '" so it began', label: '1' }])
    expect(await rows(file('q.csv', "a,b\n'x,y',z\n"), { quote: "'" })).toEqual([{ a: 'x,y', b: 'z' }])
  })

  it('takes names of columns for files without a header', async () => {
    expect(await rows(file('bare.csv', '1,2\n3,4\n'), { columns: ['a', 'b'] })).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ])
  })

  it('knows quoted line ends wherever chunks are cut', async () => {
    const records = Array.from({ length: 4000 }, (_, i) => [`${i}`, `"${'ab""\n,'.repeat(i % 97)}"`])
    const expected = records.map(([a], i) => ({ a, b: 'ab"\n,'.repeat(i % 97) }))
    const content = `a,b\n${records.map((record) => record.join()).join('\n')}\n`
    expect(Buffer.byteLength(content)).toBeGreaterThan(1e6)
    expect(await rows(file('big.csv', content))).toEqual(expected)
  })

  it.each([
    ['a,b\n1,2\n1,2,3\n', /expected 2 fields \(a, b\) at .*:3, got 3/],
    ['a,b\n"1\n2",3\n4\n', /expected 2 fields \(a, b\) at .*:4, got 1/],
    ['a,b\n1,2\n3,"x" y\n', /expected a delimiter after " at .*:3 .*quote: null.*, got " y"/],
    ['a,b\n1,2\n3,"x\n', /expected " at the end of the field .*:3, got none/],
    ['a,b,a\n', /different names of columns at .*:1, got "a" twice/],
    ['', /expected a header line in .*, got none/],
  ])('refuses %j with file and line', async (content, message) => {
    const path = file('broken.csv', content)
    await expect(rows(path)).rejects.toThrow(DataError)
    await expect(rows(path)).rejects.toThrow(message)
    await expect(rows(path)).rejects.toThrow(path)
  })

  it('refuses quotes that are none', async () => {
    const path = file('a.csv', 'a\n1\n')
    for (const quote of ['', '""', '\n', '«']) await expect(rows(path, { quote })).rejects.toThrow(ConfigError)
  })
})

describe('files', () => {
  const names = ['b.txt', 'a.jsonl', 'sub/c.txt', 'sub/deep/d.csv', 'README.md', '.hidden.txt', '.dir/e.txt']
  let folder: string
  const found = async (paths: string | string[], isWanted?: (path: string) => boolean) =>
    (await data.findFiles(paths, isWanted)).map((path) => path.slice(folder.length + 1))
  beforeAll(() => {
    for (const name of names) file(`tree/${name}`, name)
    folder = join(root, 'tree')
  })

  it('of a folder, sorted, without hidden ones', async () => {
    expect(await found(folder)).toEqual(['README.md', 'a.jsonl', 'b.txt', 'sub/c.txt', 'sub/deep/d.csv'])
    expect(await found(folder, (path) => path.endsWith('.txt'))).toEqual(['b.txt', 'sub/c.txt'])
  })

  it.each([
    ['*.txt', ['b.txt']],
    ['**/*.txt', ['b.txt', 'sub/c.txt']],
    ['sub/**', ['sub/c.txt', 'sub/deep/d.csv']],
    ['*/?.txt', ['sub/c.txt']],
    ['[a-b].*', ['a.jsonl', 'b.txt']],
    ['[!a].txt', ['b.txt']],
    ['**/*.{csv,jsonl}', ['a.jsonl', 'sub/deep/d.csv']],
    ['.*.txt', ['.hidden.txt']],
    ['s*/d??p/d.csv', ['sub/deep/d.csv']],
    ['./sub//*.txt', ['sub/c.txt']],
  ])('of the pattern %s', async (pattern, files) => {
    expect(await found(`${folder}/${pattern}`)).toEqual(files)
    const here = relative(process.cwd(), folder)
    expect(await data.findFiles(`./${here}/${pattern}`)).toEqual(files.map((name) => join(here, name)))
  })

  it('in the order of paths, each once', async () => {
    const paths = ['sub/c.txt', 'b.txt', '**/*.txt'].map((path) => join(folder, path))
    expect(await found(paths)).toEqual(['sub/c.txt', 'b.txt'])
  })

  it('that look like patterns or are links are taken as they are', async () => {
    const path = file('odd/[x].txt', 'odd')
    symlinkSync(path, join(root, 'odd/link.txt'))
    expect(await texts(path)).toEqual(['odd'])
    expect(await data.findFiles(join(root, 'odd'))).toEqual([path, join(root, 'odd/link.txt')])
  })

  it('that are not there are an error', async () => {
    for (const path of ['none.txt', 'tree/*.md5', 'no/**', '.']) {
      const wanted = path === '.' ? join(root, 'nothing') : join(root, path)
      if (path === '.') mkdirSync(wanted)
      await expect(data.readRows(wanted), path).rejects.toThrow(DataError)
      await expect(data.readRows(wanted), path).rejects.toThrow(wanted)
    }
    await expect(data.readRows([])).rejects.toThrow(DataError)
    await expect(data.readRows([1 as unknown as string])).rejects.toThrow(DTypeError)
  })

  it('of unknown format need one to be named', async () => {
    const path = file('notes.md', 'a\nb')
    await expect(data.readRows(path)).rejects.toThrow(/expected format text, .*, got .*notes.md/)
    await expect(data.readRows(path, { format: 'xml' as 'csv' })).rejects.toThrow(ConfigError)
    expect(await texts(path, { format: 'text' })).toEqual(['a', 'b'])
    // Of a folder, those of unknown format are left out.
    file('mixed/notes.md', 'x')
    file('mixed/a.txt', 'y')
    expect(await texts(join(root, 'mixed'))).toEqual(['y'])
    expect(await texts(join(root, 'mixed'), { format: 'text' })).toEqual(['y', 'x'])
  })
})

describe('position', () => {
  const numbered = data.map((row: data.Row, random) => ({ ...row, drawn: random.uint32() }))
  const lines = Array.from({ length: 9 }, (_, i) => `${i}`.repeat(i + 1))

  it('is exact in every format, packed or not, over files and epochs', async () => {
    const text = file('p/a.txt', `\ufeff${lines.join('\r\n')}`)
    const packed = file('p/b.txt.gz', gzipSync(lines.join('\n\n')))
    const csv = file('p/c.csv', `x,y\n${lines.map((line) => `"${line}\n",2`).join('\n')}\n`)
    const jsonl = file('p/d.jsonl', lines.map((line) => `{"x": "${line}"}`).join('\n'))
    const open = async (options: data.RowOptions) => {
      const streams: data.Stream<data.Row>[] = []
      // As many as the check below asks for.
      for (let i = 0; i < 60; i++) streams.push(await data.readRows([text, packed, csv, jsonl], options))
      return () => (streams.pop() as data.Stream<data.Row>).through(numbered)
    }
    await expectResumable(await open({}))
    await expectResumable(await open({ unit: 'document' }))
    const twice = await data.readRows([text], { epochs: 2 })
    const values = await valuesOf(twice.through(numbered))
    expect(values.length).toBe(18)
    expect(values[0]?.drawn).not.toBe(values[9]?.drawn)
    await expectResumable(await open({ unit: 'file', epochs: 2 }))
  })

  it('in other files is refused', async () => {
    const a = await data.readRows(file('q/a.txt', 'a\nb'))
    const state = a.state()
    await expect((await data.readRows(file('q/b.txt', 'a\nb'))).restore(state)).rejects.toThrow(DataError)
    await expect((await data.readRows(file('q/a.txt', 'a\nbc'))).restore(state)).rejects.toThrow(DataError)
    // Moved, with the same name and size, it is the same.
    await (await data.readRows(file('r/a.txt', 'a\nb'))).restore(state)
  })

  it('takes no memory of what was read', async () => {
    const line = `{"text": "${'x'.repeat(1000)}"}\n`
    const path = file('huge.jsonl', line.repeat(60_000))
    const stream = await data.readRows(path)
    let count = 0
    let most = 0
    for await (const _ of stream) {
      if (++count % 10_000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers)
    }
    expect(count).toBe(60_000)
    // The file has 60 MB.
    expect(most).toBeLessThan(30e6)
  })
})

describe('the shared data sets', () => {
  const shared = join(import.meta.dirname, '../../../shared/data')
  const exists = (() => {
    try {
      return readFileSync(join(shared, 'sst2/dev.tsv')).length > 0
    } catch {
      return false
    }
  })()

  it.skipIf(!exists)('have the rows that their description says', async () => {
    const counts = { 'sst2/dev.tsv': 872, 'trec/train.tsv': 5000, 'sick/dev.tsv': 500, 'e2e_nlg/train.csv': 4135 }
    for (const [name, count] of Object.entries(counts))
      expect((await rows(join(shared, name))).length, name).toBe(count)
  })
})
