import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AutoTokenizer,
  CheckpointError,
  ConfigError,
  DataError,
  DTypeError,
  IndexError,
  ShapeError,
  type Tokenizer,
  trainWordPiece,
} from '../../lib/index.ts'

const texts = ['The low tower, lower than the lowest.', 'New, newer, newest; the new tower is wide.', 'Wider, widest!']
const corpus = Array.from({ length: 20 }, (_, i) => texts[i % 3] as string)

let root: string
let folder: string
let tokenizer: Tokenizer
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'tokenizer-'))
  folder = join(root, 'trained')
  tokenizer = await trainWordPiece(corpus, { vocabSize: 80 })
  await tokenizer.savePretrained(folder)
})
afterAll(() => rmSync(root, { recursive: true }))

describe('trainWordPiece', () => {
  it('has the special tokens first, and the characters after them', () => {
    expect([...tokenizer.getVocab().keys()].slice(0, 5)).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'])
    expect(tokenizer.padTokenId).toBe(0)
    expect(tokenizer.maskTokenId).toBe(4)
    expect(tokenizer.idToToken(5)).toBe('!')
  })

  it('joins the most frequent neighbours first', async () => {
    const learn = async (vocabSize: number) => {
      const trained = await trainWordPiece(['ab ab ab cd cd'], { vocabSize, minFrequency: 1 })
      return [...trained.getVocab().keys()].slice(5)
    }
    const alphabet = ['a', 'b', 'c', 'd', '##b', '##d']
    expect(await learn(11)).toEqual(alphabet)
    expect(await learn(12)).toEqual([...alphabet, 'ab'])
    expect(await learn(99)).toEqual([...alphabet, 'ab', 'cd'])
  })

  it('gives the same files again, also from an async iterable', async () => {
    async function* stream() {
      yield* corpus
    }
    const again = join(root, 'again')
    await (await trainWordPiece(stream(), { vocabSize: 80 })).savePretrained(again)
    for (const name of readdirSync(folder)) {
      expect(readFileSync(join(again, name)).equals(readFileSync(join(folder, name)))).toBe(true)
    }
  })

  it('refuses what it cannot use', async () => {
    await expect(trainWordPiece([])).rejects.toThrow(DataError)
    await expect(trainWordPiece([' \n '])).rejects.toThrow(DataError)
    await expect(trainWordPiece(corpus, { vocabSize: 12 })).rejects.toThrow(/expected vocabSize >= \d+ .*, got 12/)
    await expect(trainWordPiece(corpus, { vocabSize: 0 })).rejects.toThrow(ConfigError)
    await expect(trainWordPiece('text' as unknown as string[])).rejects.toThrow(DTypeError)
    await expect(trainWordPiece([1 as unknown as string])).rejects.toThrow(DTypeError)
    await expect(trainWordPiece(corpus, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
  })
})

describe('AutoTokenizer', () => {
  it('reads what was saved and saves it as it is', async () => {
    const read = await AutoTokenizer.fromPretrained(folder)
    const copy = join(root, 'copy')
    await read.savePretrained(copy)
    expect(readdirSync(copy).sort()).toEqual(['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json'])
    for (const name of readdirSync(copy)) {
      expect(readFileSync(join(copy, name)).equals(readFileSync(join(folder, name)))).toBe(true)
    }
    expect(read.modelMaxLength).toBe(512)
  })

  it('says what is missing or malformed', async () => {
    await expect(AutoTokenizer.fromPretrained(join(root, 'none'))).rejects.toThrow(/got nothing at/)
    const broken = join(root, 'broken')
    cpSync(folder, broken, { recursive: true })
    const path = join(broken, 'tokenizer.json')
    const json = readFileSync(path, 'utf8')
    for (const text of [
      '{',
      '[]',
      '{}',
      json.replace('"BertPreTokenizer"', '"Oops"'),
      json.replace('"[PAD]":0', '"[PAD]":-1'),
    ]) {
      writeFileSync(path, text)
      await expect(AutoTokenizer.fromPretrained(broken)).rejects.toThrow(CheckpointError)
    }
    rmSync(path)
    writeFileSync(join(broken, 'vocab.txt'), '[PAD]\n')
    await expect(AutoTokenizer.fromPretrained(broken)).rejects.toThrow(/got vocab.txt alone/)
  })
})

describe('encode', () => {
  it('gives one sequence of a text, with offsets in UTF-16 units', async () => {
    const text = '😀 the new'
    const encoding = await tokenizer.encode(text)
    expect(encoding.tokens).toEqual(['[CLS]', '[UNK]', 'the', 'new', '[SEP]'])
    expect(encoding.shape).toEqual([1, 5])
    const [start, end] = encoding.offsets.subarray(4, 6)
    expect(text.slice(start, end)).toBe('the')
    expect([...encoding.sequenceIds]).toEqual([-1, 0, 0, 0, -1])
  })

  it('pads a batch to the longest, on either side', async () => {
    const batch = await tokenizer.encode(['the', 'the new tower'])
    expect(batch.shape).toEqual([2, 5])
    expect([...batch.attentionMask]).toEqual([1, 1, 1, 0, 0, 1, 1, 1, 1, 1])
    const left = await tokenizer.encode(['the', ['the', 'new']], { paddingSide: 'left', padToMultipleOf: 4 })
    expect([...left.attentionMask.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 1, 1, 1])
    expect([...left.tokenTypeIds.subarray(8)]).toEqual([0, 0, 0, 0, 0, 0, 1, 1])
  })

  it('truncates, and keeps all that was cut off when asked', async () => {
    const options = { truncation: true, maxLength: 4, stride: 1, returnOverflowingTokens: true }
    const batch = await tokenizer.encode(['the new the new', 'the'], options)
    expect([...batch.overflowToSampleMapping]).toEqual([0, 0, 0, 1])
    const rows = batch.encodings.map(({ tokens }) => tokens.join(' '))
    expect(rows).toEqual(['[CLS] the new [SEP]', '[CLS] new the [SEP]', '[CLS] the new [SEP]', '[CLS] the [SEP] [PAD]'])
  })

  it('refuses what does not fit', async () => {
    const cut = (maxLength: number, more = {}) => tokenizer.encode('the new', { truncation: true, maxLength, ...more })
    await expect(cut(1)).rejects.toThrow(/expected maxLength >= 2/)
    await expect(cut(3, { stride: 1 })).rejects.toThrow(/expected a stride below the 1 tokens/)
    await expect(cut(3, { truncation: 'only_second' })).rejects.toThrow(/expected a pair of texts/)
    await expect(tokenizer.encode('a', { maxLength: 3 })).rejects.toThrow(ConfigError)
    await expect(tokenizer.encode(['the', 'the new'], { padding: false })).rejects.toThrow(ShapeError)
    await expect(tokenizer.encode(5 as unknown as string)).rejects.toThrow(DTypeError)
  })
})

describe('decode', () => {
  it('joins pieces, with and without special tokens', async () => {
    const { inputIds } = await tokenizer.encode('The new, wide tower!')
    expect(await tokenizer.decode(inputIds)).toBe('[CLS] the new, wide tower! [SEP]')
    expect(await tokenizer.batchDecode([inputIds, []], { skipSpecialTokens: true })).toEqual([
      'the new, wide tower!',
      '',
    ])
  })

  it('refuses ids that are not in the vocabulary', async () => {
    for (const id of [-1, tokenizer.length, 1.5, Number.NaN]) {
      await expect(tokenizer.decode([5, id])).rejects.toThrow(IndexError)
    }
  })
})
