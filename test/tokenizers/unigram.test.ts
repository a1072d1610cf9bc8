import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AutoTokenizer,
  ConfigError,
  DataError,
  DTypeError,
  type Tokenizer,
  trainUnigram,
  type UnigramOptions,
} from '../../lib/index.ts'
import { corpus } from './corpus.ts'

const options: UnigramOptions = { vocabSize: 300, extraIds: 20 }

let root: string
let tokenizer: Tokenizer
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'unigram-'))
  tokenizer = await trainUnigram(corpus, options)
  await tokenizer.savePretrained(join(root, 'trained'))
})
afterAll(() => rmSync(root, { recursive: true }))

const scoresOf = (folder: string) => {
  const { model } = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
  return new Map(model.vocab as [string, number][])
}

describe('trainUnigram', () => {
  it("has T5's special tokens first, then pieces by score, and its sentinels last", async () => {
    expect([...tokenizer.getVocab().keys()].slice(0, 3)).toEqual(['<pad>', '</s>', '<unk>'])
    expect([tokenizer.padTokenId, tokenizer.eosTokenId, tokenizer.unkTokenId]).toEqual([0, 1, 2])
    expect(tokenizer.tokenToId('<extra_id_0>')).toBe(tokenizer.length - 1)
    expect(tokenizer.tokenToId('<extra_id_19>')).toBe(tokenizer.length - 20)
    expect(tokenizer.additionalSpecialTokens.slice(0, 2)).toEqual(['<extra_id_0>', '<extra_id_1>'])
    const scores = [...scoresOf(join(root, 'trained')).values()].slice(3)
    expect(scores.length).toBe(tokenizer.length - 23)
    expect([...scores].sort((a, b) => b - a)).toEqual(scores)
    // Less than 1, as rare pieces get less than their share.
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0)
    expect(total).toBeGreaterThan(0.5)
    expect(total).toBeLessThan(1)
  })

  it('finds the words that repeat', async () => {
    const texts = ['lake bridge lake', 'lake bridge', 'bridge lake bridge lake']
    const trained = await trainUnigram(texts, { vocabSize: 60, extraIds: 0 })
    const { tokens } = await trained.encode('lake bridge  ridge')
    expect(tokens.slice(0, 2)).toEqual(['▁lake', '▁bridge'])
    expect(tokens.at(-1)).toBe('</s>')
  })

  it('leaves the best pieces: exactly as many as wanted where there are more', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => corpus.slice(0, 5 + (i % 3)).join(' '))
    for (const vocabSize of [110, 130, 150]) {
      expect((await trainUnigram(texts, { vocabSize, extraIds: 3 })).length).toBe(vocabSize)
    }
    const short = await trainUnigram(texts, { vocabSize: 180, extraIds: 3, maxPieceLength: 2 })
    expect(Math.max(...[...short.getVocab().keys()].slice(3, -3).map((piece) => [...piece].length))).toBe(2)
  })

  it('gives the same files again, also from an async iterable', async () => {
    async function* stream() {
      yield* corpus
    }
    const again = join(root, 'again')
    await (await trainUnigram(stream(), options)).savePretrained(again)
    const names = readdirSync(join(root, 'trained')).sort()
    expect(names).toEqual(['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json'])
    for (const name of names) {
      expect(readFileSync(join(again, name)).equals(readFileSync(join(root, 'trained', name)))).toBe(true)
    }
  })

  it('knows the characters that limitAlphabet leaves, and those of special tokens', async () => {
    const trained = await trainUnigram(['aaa aab abc abc bca bca z'], { vocabSize: 60, extraIds: 0, limitAlphabet: 4 })
    expect((await trained.encode('abz')).tokens).toEqual(expect.arrayContaining(['z', '</s>']))
    expect([...(await trained.encode('z', { addSpecialTokens: false })).inputIds].at(-1)).toBe(2)
    expect((await trained.encode('<k')).tokens).toEqual(['▁', '<', 'k', '</s>'])
  })

  it('writes unknown characters as bytes where asked to, and reads them back', async () => {
    const trained = await trainUnigram(corpus, { vocabSize: 500, extraIds: 2, byteFallback: true })
    expect(trained.tokenToId('<0x00>')).toBe(3)
    expect(trained.tokenToId('<0xFF>')).toBe(258)
    const text = 'river 🦭 <0x41>'
    const { inputIds, tokens } = await trained.encode(text)
    expect(tokens).toEqual(expect.arrayContaining(['<0xF0>', '<0x9F>', '<0xA6>', '<0xAD>']))
    expect(tokens).not.toContain('<0x41>')
    expect(await trained.decode(inputIds, { skipSpecialTokens: true })).toBe(text)
  })

  it('refuses what it cannot use', async () => {
    await expect(trainUnigram([])).rejects.toThrow(DataError)
    await expect(trainUnigram([' \n '])).rejects.toThrow(DataError)
    await expect(trainUnigram('text' as unknown as string[])).rejects.toThrow(DTypeError)
    await expect(trainUnigram([1 as unknown as string])).rejects.toThrow(DTypeError)
    await expect(trainUnigram(corpus, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
    await expect(trainUnigram(corpus, { vocabSize: 120 })).rejects.toThrow(
      /expected vocabSize >= \d+ for 3 special tokens, 100 sentinels and \d+ characters, got 120/,
    )
    const bad: UnigramOptions[] = [
      { vocabSize: 0 },
      { vocabSize: 1.5 },
      { extraIds: -1 },
      { limitAlphabet: 0 },
      { maxPieceLength: 0 },
      { seedSize: 0 },
      { nSubIterations: 0 },
      { modelMaxLength: Number.NaN },
      { shrinkingFactor: 0 },
      { shrinkingFactor: 1 },
      { shrinkingFactor: Number.NaN },
      { byteFallback: 1 as unknown as boolean },
    ]
    for (const each of bad) {
      const [name] = Object.keys(each) as [string]
      const error = await trainUnigram(corpus, each).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ConfigError)
      expect((error as Error).message).toMatch(new RegExp(`^trainUnigram: expected ${name} .*, got `))
    }
  })

  it('stops when it is told to', async () => {
    const controller = new AbortController()
    const texts = Array.from({ length: 2000 }, (_, i) => `${corpus[i % corpus.length]} ${i * 7919}`)
    const training = trainUnigram(texts, { vocabSize: 300, signal: controller.signal })
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(training).rejects.toThrow('enough')
  })
})

describe("T5's layout", () => {
  const id = (token: string) => tokenizer.tokenToId(token) as number

  it('keeps the ids of sentinels inside text, with and without spaces around them', async () => {
    const wanted = ['▁the', '<extra_id_0>', '▁fence', '<extra_id_1>', '</s>']
    for (const text of [
      'the <extra_id_0> fence <extra_id_1>',
      'the<extra_id_0>fence<extra_id_1>',
      ' the  <extra_id_0>\nfence <extra_id_1> ',
    ]) {
      const { tokens, inputIds } = await tokenizer.encode(text)
      expect(tokens.filter((token) => token.startsWith('<'))).toEqual(wanted.filter((token) => token.startsWith('<')))
      expect(tokens.join('').replaceAll('▁', ' ')).toBe(' the<extra_id_0> fence<extra_id_1></s>')
      expect(inputIds).toContain(id('<extra_id_0>'))
    }
    expect((await tokenizer.encode('<extra_id_0>')).tokens).toEqual(['<extra_id_0>', '</s>'])
  })

  it('does not make special tokens of text that spells them only after NFKC', async () => {
    const { tokens, inputIds } = await tokenizer.encode('＜/s＞ ＜extra_id_0＞', { addSpecialTokens: false })
    expect([...inputIds].filter((each) => tokenizer.allSpecialIds.includes(each) && each !== 2)).toEqual([])
    expect(tokens.slice(0, 3)).toEqual(['▁', '<', '/'])
  })

  it('decodes sentinels, or leaves them out', async () => {
    const { inputIds } = await tokenizer.encode('the <extra_id_0> fence <extra_id_1>')
    expect(await tokenizer.decode(inputIds)).toBe('the<extra_id_0> fence<extra_id_1></s>')
    expect(await tokenizer.decode(inputIds, { skipSpecialTokens: true })).toBe('the fence')
    expect(await tokenizer.decode([id('<extra_id_3>'), 0, 0, 1], { skipSpecialTokens: true })).toBe('')
  })

  it('ends each text of a pair, and tells them apart by sequenceIds alone', async () => {
    const { tokens, tokenTypeIds, sequenceIds, specialTokensMask } = await tokenizer.encode('the', { textPair: 'the' })
    expect(tokens).toEqual(['▁the', '</s>', '▁the', '</s>'])
    expect([...tokenTypeIds]).toEqual([0, 0, 0, 0])
    expect([...sequenceIds]).toEqual([0, -1, 1, -1])
    expect([...specialTokensMask]).toEqual([0, 1, 0, 1])
    expect(tokenizer.numSpecialTokensToAdd(true)).toBe(2)
  })

  it('truncates so that the end stays, and pads with <pad>', async () => {
    const cut = { truncation: true, maxLength: 4 }
    const batch = await tokenizer.encode(['the the the the the', 'the'], cut)
    expect(batch.encodings.map(({ tokens }) => tokens)).toEqual([
      ['▁the', '▁the', '▁the', '</s>'],
      ['▁the', '</s>', '<pad>', '<pad>'],
    ])
    expect([...batch.attentionMask]).toEqual([1, 1, 1, 1, 1, 1, 0, 0])
    const pair = await tokenizer.encode([['the the the', 'the']], { ...cut, maxLength: 5 })
    expect(pair.encodings[0]?.tokens).toEqual(['▁the', '▁the', '</s>', '▁the', '</s>'])
    const second = await tokenizer.encode([['the', 'the the the']], { truncation: 'only_second', maxLength: 4 })
    expect(second.encodings[0]?.tokens).toEqual(['▁the', '</s>', '▁the', '</s>'])
    expect((await tokenizer.encode('the', { padding: 'max_length', maxLength: 4 })).length).toBe(4)
    expect(tokenizer.modelMaxLength).toBe(512)
  })

  it('has offsets into the text as it was given', async () => {
    const text = '🙂  the ﬁ<extra_id_0> river'
    const { tokens, offsets } = await tokenizer.encode(text)
    const slice = (token: string) => {
      const i = tokens.indexOf(token)
      return text.slice(offsets[2 * i], offsets[2 * i + 1])
    }
    expect(slice('▁the').trim()).toBe('the')
    expect(slice('<extra_id_0>')).toBe('<extra_id_0>')
    expect([offsets.at(-2), offsets.at(-1)]).toEqual([0, 0])
  })

  it('is read back as it was saved', async () => {
    const read = await AutoTokenizer.fromPretrained(join(root, 'trained'))
    expect([...read.getVocab()]).toEqual([...tokenizer.getVocab()])
    expect([read.padToken, read.eosToken, read.unkToken]).toEqual(['<pad>', '</s>', '<unk>'])
    expect(read.additionalSpecialTokens).toEqual(tokenizer.additionalSpecialTokens)
  })
})
