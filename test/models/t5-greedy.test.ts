// Greedy search finds its tokens without logits where it can; they must be those of the logits.
import { expect, test } from 'vitest'
import { device, type GenerateOptions, parseT5Config, T5ForConditionalGeneration } from '../../lib/index.ts'

// With a head of its own: a tied one repeats the token that it was fed.
const config = parseT5Config({
  ...{ vocab_size: 2300, d_model: 32, d_kv: 8, d_ff: 48, num_layers: 2, num_heads: 4 },
  tie_word_embeddings: false,
})
const inputIds = Array.from({ length: 5 }, (_, b) =>
  Array.from({ length: 7 }, (_, t) => 3 + ((b * 67 + t * 31) % 2000)),
)
const screens = () => device('cpu').counters().linearArgmax?.calls ?? 0
const list = (sequences: readonly Int32Array[]) => sequences.map((ids) => [...ids])

function modelOf(): T5ForConditionalGeneration {
  return new T5ForConditionalGeneration(config, { seed: 5 }).eval()
}

const cases: [name: string, options: GenerateOptions, screened: boolean][] = [
  ['nothing else', {}, true],
  ['a least length', { minNewTokens: 6 }, true],
  ['words that are banned', { badWordsIds: [[7], [11]], suppressTokens: [5], beginSuppressTokens: [9] }, true],
  ['a penalty', { repetitionPenalty: 1.5 }, false],
  ['a ban of longer words', { badWordsIds: [[7, 8]] }, false],
  ['no cache', { useCache: false }, true],
]

test.each(cases)('greedy search with %s', async (_, options, screened) => {
  using model = modelOf()
  const all = { maxNewTokens: 12, ...options }
  device('cpu').resetCounters()
  const { sequences } = await model.generate({ inputIds }, all)
  expect(screens() > 0).toBe(screened)
  const { sequences: byScores } = await model.generate({ inputIds }, { ...all, outputScores: true })
  expect(list(sequences)).toEqual(list(byScores))
})

test('rows that end leave the others as they were', async () => {
  using model = modelOf()
  const { sequences } = await model.generate({ inputIds }, { maxNewTokens: 12 })
  expect(new Set(list(sequences).flat()).size).toBeGreaterThan(10)
  const eosTokenId = sequences[1]![4] as number
  const ended = await model.generate({ inputIds }, { maxNewTokens: 12, eosTokenId })
  const lengths = ended.sequences.map((ids) => (ids.includes(eosTokenId) ? ids.indexOf(eosTokenId) : ids.length))
  expect(new Set(lengths).size).toBeGreaterThan(1)
  ended.sequences.forEach((ids, i) => {
    expect([...ids.subarray(0, lengths[i])]).toEqual([...sequences[i]!.subarray(0, lengths[i])])
  })
})

test('tokens that are banned are the ones it would have taken', async () => {
  using model = modelOf()
  const first = async (options: GenerateOptions) =>
    (await model.generate({ inputIds }, { maxNewTokens: 1, ...options })).sequences.map((ids) => ids[1] as number)
  const taken = await first({})
  const others = await first({ suppressTokens: taken })
  expect(others.filter((token) => taken.includes(token))).toEqual([])
})

test.each([1, 4, 5, 6])('copies of weights are made once, not at every step: %i rows', async (rows) => {
  const made = async (maxNewTokens: number) => {
    using model = modelOf()
    const inputs = { inputIds: Array.from({ length: rows }, (_, i) => inputIds[i % inputIds.length] as number[]) }
    device('cpu').resetCounters()
    await model.generate(inputs, { maxNewTokens, minNewTokens: maxNewTokens })
    const counters = device('cpu').counters()
    return ['gemmPack', 'cast', 'screenWeight'].map((op) => counters[op]?.calls ?? 0)
  }
  const few = await made(4)
  expect(few.reduce((a, b) => a + b)).toBeGreaterThan(0)
  expect(await made(12)).toEqual(few)
})
