// What ports of the two families' tokenizers get wrong, by its number in the list that test/pitfalls.test.ts goes through.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AutoTokenizer, type Tokenizer, trainWordPiece } from '../../lib/index.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tokenizer-pitfalls-'))
})
afterAll(() => rmSync(root, { recursive: true }))

const pieces = ['▁', '.', '▁Hello', 'Hello', '▁world', 'world', 'H', 'o']
const ids = { pad: 0, eos: 1, unk: 2, space: 3, period: 4, hello: 5, bareHello: 6, world: 7 }
const sentinels = [1, 0].map((n) => `<extra_id_${n}>`)

/** T5's layout with a vocabulary of a few pieces. */
async function t5(metaspace: object): Promise<Tokenizer> {
  const vocab: [string, number][] = [
    ...['<pad>', '</s>', '<unk>'].map((token): [string, number] => [token, 0]),
    ...pieces.map((piece, i): [string, number] => [piece, -1 - i]),
  ]
  const special = [...['<pad>', '</s>', '<unk>'].entries(), ...sentinels.map((s, i) => [vocab.length + i, s] as const)]
  const space = { type: 'Metaspace', replacement: '▁', ...metaspace }
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } })
  const end = { SpecialToken: { id: '</s>', type_id: 0 } }
  const json = {
    version: '1.0',
    added_tokens: special.map(([id, content]) => {
      return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    }),
    normalizer: null,
    pre_tokenizer: space,
    post_processor: {
      type: 'TemplateProcessing',
      single: [sequence('A'), end],
      pair: [sequence('A'), end, sequence('B'), end],
      special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
    model: { type: 'Unigram', unk_id: 2, vocab, byte_fallback: false },
  }
  const folder = mkdtempSync(join(root, 't5-'))
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json))
  return AutoTokenizer.fromPretrained(folder)
}

const idsOf = async (tokenizer: Tokenizer, text: string, options = {}) => [
  ...(await tokenizer.encode(text, options)).inputIds,
]

describe("T5's tokenizer", () => {
  const last = 3 + pieces.length + 1

  it('A§9.23 a text after a sentinel has a space before it in the old layout, and none in the new', async () => {
    const text = '<extra_id_0>. Hello'
    expect(await idsOf(await t5({ add_prefix_space: true }), text)).toEqual([last, ids.space, ids.period, ids.hello, 1])
    expect(await idsOf(await t5({ prepend_scheme: 'first' }), text)).toEqual([last, ids.period, ids.hello, 1])
  })

  it('A§9.23 the end comes once, and truncation keeps it', async () => {
    const tokenizer = await t5({ prepend_scheme: 'always' })
    expect(await idsOf(tokenizer, 'Hello world')).toEqual([ids.hello, ids.world, 1])
    const cut = { truncation: true, maxLength: 3 }
    expect(await idsOf(tokenizer, 'Hello world Hello world', cut)).toEqual([ids.hello, ids.world, 1])
    const pair = { truncation: true, maxLength: 4, textPair: 'world world' }
    expect(await idsOf(tokenizer, 'Hello Hello', pair)).toEqual([ids.hello, 1, ids.world, 1])
  })

  it('A§9.6 sentinels count downwards from the end of the vocabulary, and are no pieces', async () => {
    const tokenizer = await t5({ prepend_scheme: 'always' })
    expect(sentinels.map((token) => tokenizer.getVocab().get(token))).toEqual([last - 1, last])
    expect(await idsOf(tokenizer, 'Hello<extra_id_1>world')).toEqual([ids.hello, last - 1, ids.world, 1])
  })
})

describe("ELECTRA's tokenizer", () => {
  /** A tokenizer that knows single characters, with its tokenizer.json changed. */
  const variant = async (change: (json: { normalizer: object; model: object }) => void): Promise<Tokenizer> => {
    const folder = mkdtempSync(join(root, 'electra-'))
    const texts = ['a Á é e b B word', 'á Word']
    await (await trainWordPiece(texts, { vocabSize: 40, minFrequency: 1, lowercase: false })).savePretrained(folder)
    const path = join(folder, 'tokenizer.json')
    const json = JSON.parse(readFileSync(path, 'utf8'))
    change(json)
    writeFileSync(path, JSON.stringify(json))
    rmSync(join(folder, 'tokenizer_config.json'), { force: true })
    return AutoTokenizer.fromPretrained(folder)
  }
  const tokensOf = async (tokenizer: Tokenizer, text: string) => (await tokenizer.encode(text)).tokens.slice(1, -1)

  it('A§9.22 a word is unknown above the length that the file says', async () => {
    for (const most of [100, 200]) {
      const tokenizer = await variant(({ model }) => Object.assign(model, { max_input_chars_per_word: most }))
      expect(await tokensOf(tokenizer, `w${'o'.repeat(most - 1)}`)).toContain('##o')
      expect(await tokensOf(tokenizer, `w${'o'.repeat(most)}`)).toEqual(['[UNK]'])
    }
  })

  it('A§9.22 accents go with capitals, unless the file says otherwise', async () => {
    const tokens = async (settings: object) =>
      tokensOf(await variant(({ normalizer }) => Object.assign(normalizer, settings)), 'Á')
    expect(await tokens({ lowercase: true, strip_accents: null })).toEqual(['a'])
    expect(await tokens({ lowercase: false, strip_accents: null })).toEqual(['Á'])
    expect(await tokens({ lowercase: true, strip_accents: false })).toEqual(['á'])
  })
})
