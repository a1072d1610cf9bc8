import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AutoTokenizer, DataError, data, IndexError, type Tokenizer, trainWordPiece } from '../../lib/index.ts'
import { expectResumable, valuesOf } from './streams.ts'

const lines = [
  'The low tower, lower than the lowest.',
  'New, newer, newest; ☂ the new tower is wide.',
  'Wider, widest!',
]
const texts = Array.from({ length: 150 }, (_, i) => `${lines[i % 3]} ${'wide '.repeat(i % 7)}${i}`)

let root: string
let tokenizer: Tokenizer
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'tokens-'))
  tokenizer = await trainWordPiece(lines, { vocabSize: 120 })
})
afterAll(() => rmSync(root, { recursive: true }))

const idsOf = async (list: readonly string[], by = tokenizer): Promise<number[][]> => {
  const ids: number[][] = []
  for (const text of list) ids.push([...(await by.encode(text, { addSpecialTokens: false })).inputIds])
  return ids
}
const plain = (list: readonly ArrayLike<number>[]) => list.map((ids) => Array.from(ids))
const streamOf = <T>(values: readonly T[]) => data.sample(data.datasetOf(values), { shuffle: false })

describe('tokenize', () => {
  it('gives the ids that the tokenizer gives', async () => {
    const found = await valuesOf(streamOf([...texts, '', 'low']).through(data.tokenize(tokenizer)))
    expect(plain(found)).toEqual(await idsOf([...texts, '', 'low']))
    expect(found.every((ids) => ids instanceof Int32Array)).toBe(true)
  })

  it('knows special tokens in texts, and those that the configuration makes special', async () => {
    const folder = join(root, 'added')
    await tokenizer.savePretrained(folder)
    writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ additional_special_tokens: ['w'] }))
    const added = await AutoTokenizer.fromPretrained(folder)
    // The letter is a token by itself wherever it stands, now that it is special.
    const list = ['low tower', 'low[MASK]', 'x\ud800y']
    const found = await valuesOf(streamOf(list).through(data.tokenize(added)))
    expect(plain(found)).toEqual(await idsOf(list, added))
    expect(plain(found)[0]).toContain(added.tokenToId('w'))
    expect(plain(found)).not.toEqual(await idsOf(list))
  })

  it('of lines keeps them apart', async () => {
    const [document] = await valuesOf(streamOf([lines.join('\n')]).through(data.tokenizeLines(tokenizer)))
    expect(plain(document as Int32Array[])).toEqual(await idsOf(lines))
  })

  it('goes on where it was left', async () => {
    await expectResumable(() => streamOf(texts).through(data.shuffle(20)).through(data.tokenize(tokenizer)))
  })

  it('refuses what is not text, and goes on', async () => {
    const bad = streamOf([1 as unknown as string]).through(data.tokenize(tokenizer))
    await expect(valuesOf(bad)).rejects.toThrow(DataError)
    await expect(valuesOf(streamOf<data.Row>([{ text: 1 }]).through(data.column()))).rejects.toThrow(
      /expected a string in column "text", got number 1/,
    )
    expect((await valuesOf(streamOf(['low']).through(data.tokenize(tokenizer)))).length).toBe(1)
  })

  it('leaves the main thread free', async () => {
    const long = Array.from({ length: 64 }, () => lines.join(' ').repeat(60))
    const before = performance.eventLoopUtilization()
    const found = await valuesOf(streamOf(long).through(data.tokenize(tokenizer)))
    const { active, idle } = performance.eventLoopUtilization(before)
    expect(found.reduce((sum, ids) => sum + ids.length, 0)).toBeGreaterThan(100_000)
    expect(active).toBeLessThan(0.5 * (active + idle))
  })
})

describe('cachedTokens', () => {
  let path: string
  let cacheDir: string
  const options = () => ({ tokenizer, cacheDir })
  beforeAll(() => {
    path = join(root, 'corpus.txt')
    cacheDir = join(root, 'caches/below')
    const documents = texts.map((text, i) => (i % 10 === 9 ? `${text}\n${lines.join('\n')}` : text))
    writeFileSync(path, documents.join('\n\n'))
  })

  it('makes a cache once, and reads documents in any order', async () => {
    let told = 0
    const made = await data.cachedTokens(path, { ...options(), unit: 'document', onProgress: () => told++ })
    expect(told).toBeGreaterThan(0)
    expect(made.length).toBe(texts.length)
    const expected = await idsOf(texts)
    for (const i of [149, 0, 7, 77, 7])
      expect([...(await made.get(i)).slice(0, expected[i]?.length)]).toEqual(expected[i])
    expect((await valuesOf(data.sample(made))).reduce((sum, ids) => sum + ids.length, 0)).toBe(made.tokens)
    await made.close()
    told = 0
    const again = await data.cachedTokens(path, { ...options(), unit: 'document', onProgress: () => told++ })
    expect([told, again.key, again.tokens]).toEqual([0, made.key, made.tokens])
    await again.close()
    expect(readdirSync(cacheDir)).toEqual([made.key])
  })

  it('keeps lines apart where it is told to', async () => {
    const cache = await data.cachedTokens(path, { ...options(), unit: 'document', byLine: true })
    const documents = cache.byLine()
    const nine = await documents.get(9)
    expect(plain(nine)).toEqual(await idsOf([texts[9] as string, ...lines]))
    expect([...(await cache.get(9))]).toEqual(plain(nine).flat())
    expect((await documents.get(10)).length).toBe(1)
    const segments = data
      .sample(documents)
      .through(data.flatMap(data.electraSegments({ vocabulary: data.electraVocabulary(tokenizer), maxLength: 32 })))
    expect((await valuesOf(segments)).length).toBeGreaterThanOrEqual(texts.length)
    await cache.close()
  })

  it('leaves out documents without a token, and holds ids beyond 16 bits', async () => {
    const file = join(root, 'sparse.jsonl')
    writeFileSync(file, ['a', '', ' ', 'b'].map((text) => JSON.stringify({ body: text })).join('\n'))
    const sparse = await data.cachedTokens(file, { ...options(), textColumn: 'body' })
    expect(sparse.length).toBe(2)
    await sparse.close()
    const many = Array.from({ length: 70_000 }, (_, i) => `w${i}`)
    const folder = join(root, 'large')
    mkdirSync(folder)
    const vocab = Object.fromEntries(['[UNK]', ...many].map((token, id) => [token, id]))
    writeFileSync(
      join(folder, 'tokenizer.json'),
      JSON.stringify({
        model: { type: 'WordLevel', vocab, unk_token: '[UNK]' },
        pre_tokenizer: { type: 'Whitespace' },
      }),
    )
    const large = await AutoTokenizer.fromPretrained(folder)
    writeFileSync(file, JSON.stringify({ body: 'w5 w69999 w0' }))
    const cache = await data.cachedTokens(file, { tokenizer: large, cacheDir, textColumn: 'body' })
    expect([...(await cache.get(0))]).toEqual([6, 70_000, 1])
    await cache.close()
  })

  it('is another one for another tokenizer, another file, another way to read', async () => {
    const file = join(root, 'keys.txt')
    const key = async (more: Partial<data.CachedTokensOptions> = {}) => {
      const cache = await data.cachedTokens(file, { ...options(), ...more })
      await cache.close()
      return cache.key
    }
    writeFileSync(file, 'low tower')
    const first = await key()
    expect(await key()).toBe(first)
    const other = await trainWordPiece(lines, { vocabSize: 120, minFrequency: 1 })
    const keys = [first, await key({ tokenizer: other }), await key({ unit: 'file' }), await key({ byLine: true })]
    utimesSync(file, new Date(), new Date(Date.now() - 60_000))
    keys.push(await key())
    writeFileSync(file, 'low towers')
    keys.push(await key())
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('leaves nothing behind when it fails or is stopped', async () => {
    const broken = join(root, 'broken.jsonl')
    writeFileSync(broken, `${'{"text": "low"}\n'.repeat(200)}{"text": 1}\n`)
    const dir = join(root, 'failing')
    await expect(data.cachedTokens(broken, { tokenizer, cacheDir: dir })).rejects.toThrow(DataError)
    const signal = AbortSignal.abort(new Error('stopped'))
    await expect(data.cachedTokens(path, { tokenizer, cacheDir: dir, signal })).rejects.toThrow('stopped')
    writeFileSync(broken, '{"text": " "}\n')
    await expect(data.cachedTokens(broken, { tokenizer, cacheDir: dir })).rejects.toThrow(/with tokens, got none/)
    expect(readdirSync(dir)).toEqual([])
    const blocked = join(root, 'a-file')
    writeFileSync(blocked, '')
    const inFile = data.cachedTokens(path, { tokenizer, cacheDir: join(blocked, 'caches') })
    await expect(inFile).rejects.toThrow(/token cache: expected to write to .*a-file/)
    await expect(inFile).rejects.toThrow(DataError)
  })

  it('is refused where it is not whole', async () => {
    const cache = await data.cachedTokens(path, options())
    await expect(cache.get(cache.length)).rejects.toThrow(IndexError)
    await expect(cache.get(-1)).rejects.toThrow(IndexError)
    truncateSync(join(cache.path, 'tokens.bin'), 10)
    await expect(cache.get(cache.length - 1)).rejects.toThrow(/expected .*tokens.bin as it was opened/)
    await cache.close()
    await expect(data.TokenCache.open(cache.path)).rejects.toThrow(/expected \d+ bytes in .*tokens.bin, got 10/)
    writeFileSync(join(cache.path, 'cache.json'), '{"version": 0}')
    await expect(data.TokenCache.open(cache.path)).rejects.toThrow(DataError)
    await expect(data.TokenCache.open(join(root, 'no-cache'))).rejects.toThrow(DataError)
  })
})
