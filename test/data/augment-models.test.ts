import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  data,
  device,
  ElectraForJointPreTraining,
  type GenerateOptions,
  noGrad,
  parseElectraConfig,
  parseT5Config,
  Random,
  T5ForConditionalGeneration,
} from '../../lib/index.ts'
import { expectResumable, valuesOf } from './streams.ts'

const streamOf = <T>(values: readonly T[]) => data.sample(data.datasetOf(values), { shuffle: false })
const words = (length: number, random: Random) => Int32Array.from({ length }, () => 5 + random.below(70))

describe('replaceByGenerator', () => {
  const special = { clsTokenId: 2, sepTokenId: 3, maskTokenId: 4 }
  const json = { model_type: 'electra', vocab_size: 100, embedding_size: 16, hidden_size: 16, num_hidden_layers: 1 }
  const config = parseElectraConfig({ ...json, num_attention_heads: 2, intermediate_size: 32, initializer_range: 0.5 })
  const random = new Random(1)
  const examples = [30, 7, 22, 2].map((length, label) => {
    const inputIds = Int32Array.of(2, ...words(length - 2, random), 3)
    return { inputIds, tokenTypeIds: new Int32Array(length), label }
  })

  it('keeps drawn tokens that the discriminator takes for original, and no others', async () => {
    const before = device().memory().tensors
    {
      using model = ElectraForJointPreTraining.fromConfigs(config, config, { seed: 3 })
      const augmented = (maxReplacedProbability: number) =>
        valuesOf(
          streamOf(examples).through(
            data.replaceByGenerator(model, { vocabulary: special, maskRate: 0.5, maxReplacedProbability }),
          ),
        )
      expect(await augmented(0)).toEqual(examples)
      // Everything that was drawn is in there: what the discriminator says of it decides.
      const all = await augmented(1)
      model.eval()
      const judged: (readonly [example: number, at: number, logit: number])[] = []
      for (const [i, { inputIds }] of all.entries()) {
        const { logits } = noGrad(() => model.discriminator.forward({ inputIds: [[...inputIds]] }))
        const values = await logits?.data()
        logits?.dispose()
        for (const [at, id] of inputIds.entries()) {
          if (id !== examples[i]?.inputIds[at]) judged.push([i, at, values?.[at] as number])
        }
      }
      model.train()
      expect(judged.length).toBeGreaterThan(15)
      judged.sort((a, b) => a[2] - b[2])
      const middle = judged.length >> 1
      const logit = ((judged[middle - 1] as (typeof judged)[0])[2] + (judged[middle] as (typeof judged)[0])[2]) / 2
      const some = await augmented(1 / (1 + Math.exp(-logit)))
      const expected = examples.map((example) => ({ ...example, inputIds: example.inputIds.slice() }))
      for (const [i, at] of judged.slice(0, middle)) {
        ;(expected[i] as (typeof expected)[0]).inputIds[at] = all[i]?.inputIds[at] as number
      }
      expect(some).toEqual(expected)
      expect(model.discriminator.training).toBe(true)
      expect(
        all.every(({ inputIds }, i) => examples[i]?.inputIds.every((id, at) => id >= 5 || id === inputIds[at])),
      ).toBe(true)
      await expectResumable(() =>
        streamOf(examples).through(data.replaceByGenerator(model, { vocabulary: special, batchSize: 3 })),
      )
    }
    expect(device().memory().tensors).toBe(before)
  })

  it('leaves examples alone that have nothing but special tokens', async () => {
    using model = ElectraForJointPreTraining.fromConfigs(config, config)
    const bare = [{ inputIds: Int32Array.of(2, 3), tokenTypeIds: new Int32Array(2) }]
    const stage = data.replaceByGenerator<data.EncoderExample>(model, {
      vocabulary: special,
      maxReplacedProbability: 1,
    })
    expect(await valuesOf(streamOf(bare).through(stage))).toEqual(bare)
  })

  it('refuses options out of range', () => {
    using model = ElectraForJointPreTraining.fromConfigs(config, config)
    for (const bad of [{ maxReplacedProbability: 1.1 }, { batchSize: 0 }, { maskRate: 0 }]) {
      expect(() => data.replaceByGenerator(model, { vocabulary: special, ...bad })).toThrow(ConfigError)
    }
  })
})

describe('infillSpans', () => {
  const sentinel = (number: number) => 99 - number
  const vocabulary: data.ObjectiveVocabulary = {
    sentinelIds: Int32Array.from({ length: 20 }, (_, i) => sentinel(i)),
    eosTokenId: 1,
    vocabSize: 100,
  }
  const spans = { vocabulary, noiseDensity: 0.4, meanNoiseSpanLength: 2 }
  const text = Int32Array.from({ length: 10 }, (_, i) => 10 + i)
  /** A model that says what it is told to. */
  const saying = (...tokens: number[]) => {
    const asked: GenerateOptions[] = []
    const generate = async (_: unknown, options: GenerateOptions) => {
      asked.push(options)
      return { sequences: [Int32Array.of(0, ...tokens)] }
    }
    return { model: { generate } as unknown as T5ForConditionalGeneration, asked }
  }

  it('fills spans with what the model says, and keeps those of which it says nothing', async () => {
    const runs: number[][] = []
    const kept = data.map((tokens: Int32Array) => runs.push([...tokens]))
    const identity = saying(1)
    await valuesOf(streamOf([text]).through(data.infillSpans(identity.model, spans)).through(kept))
    // Nothing said: the text as it was. 10 · 0.4 is 4 tokens in 2 spans.
    expect(runs).toEqual([[...text]])
    expect(identity.asked[0]).toMatchObject({ doSample: true, maxNewTokens: 14, numReturnSequences: 1 })
    const second = saying(sentinel(1), 50, 51, sentinel(1), 60, sentinel(7), 70, 1, 80)
    const [filled] = (await valuesOf(streamOf([text]).through(data.infillSpans(second.model, spans)))) as [Int32Array]
    const at = filled.indexOf(50)
    expect([filled[at + 1], filled.length]).toEqual([51, at + 2])
    expect([...filled.subarray(0, at)]).toEqual([...text.subarray(0, at)])
    expect([...filled].filter((id) => id >= 60)).toEqual([])
    expect(at).toBeLessThan(10)
  })

  it('runs with T5, the same from the same seed', async () => {
    const before = device().memory().tensors
    {
      const json = { model_type: 't5', d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2, vocab_size: 100 }
      using model = new T5ForConditionalGeneration(parseT5Config(json), { seed: 2 })
      model.eval()
      const dense = { vocabulary, noiseDensity: 0.5, meanNoiseSpanLength: 1 }
      const random = new Random(4)
      const texts = [20, 5, 33].map((length) => words(length, random))
      const make = () =>
        streamOf(texts).through(
          data.infillSpans(model, { ...dense, batchSize: 2, generation: { temperature: 10, topK: 0 } }),
        )
      const results = await valuesOf(make())
      expect(results.length).toBe(3)
      expect(results).not.toEqual(texts)
      for (const [i, result] of results.entries()) expect(result[0]).toBe(texts[i]?.[0])
      await expectResumable(make)
    }
    expect(device().memory().tensors).toBe(before)
  })

  it('refuses options out of range', () => {
    const { model } = saying(1)
    expect(() => data.infillSpans(model, { vocabulary, batchSize: 0 })).toThrow(ConfigError)
    expect(() => data.infillSpans(model, { vocabulary, noiseDensity: 2 })).toThrow(ConfigError)
  })
})
