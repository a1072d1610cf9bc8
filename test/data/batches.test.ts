import { describe, expect, it } from 'vitest'
import {
  ConfigError,
  DataError,
  data,
  device,
  ElectraForJointPreTraining,
  ops,
  parseElectraConfig,
  parseT5Config,
  Random,
  scope,
  T5ForConditionalGeneration,
  type Tensor,
} from '../../lib/index.ts'
import { expectResumable, valuesOf } from './streams.ts'

const vocabulary: data.ObjectiveVocabulary = {
  sentinelIds: Int32Array.from({ length: 20 }, (_, i) => 99 - i),
  eosTokenId: 1,
  vocabSize: 100,
}
const words = (length: number, random: Random) => Int32Array.from({ length }, () => 3 + random.below(70))
const example = (inputs: number, targets: number): data.Seq2SeqExample => ({
  inputIds: new Int32Array(inputs).fill(7),
  labels: new Int32Array(targets).fill(8),
})
const streamOf = <T>(values: readonly T[]) => data.sample(data.datasetOf(values), { shuffle: false })

/** As in the fixtures: 16 float32 roundings of the largest value, and 1e-5 of each. */
function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, name: string): void {
  const largest = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const excess = Array.from(
    expected,
    (value, i) => Math.abs((got[i] as number) - value) - 16 * 2 ** -23 * largest - 1e-5 * Math.abs(value),
  )
  expect(got.length).toBe(expected.length)
  expect(Math.max(...excess), name).toBeLessThanOrEqual(0)
}

describe('pack', () => {
  const sizes = [
    [5, 2],
    [4, 1],
    [2, 1],
    [1, 6],
    [10, 1],
    [1, 1],
  ] as const
  const examples = sizes.map(([inputs, targets]) => example(inputs, targets))
  const packed = async (options: data.PackOptions) => {
    const batches = await valuesOf(streamOf(examples).through(data.pack(options)))
    return batches.map((batch) => batch.map((one) => sizes[examples.indexOf(one)]?.join('/')))
  }

  it('fills batches in order while inputs and targets fit', async () => {
    expect(await packed({ maxInputTokens: 10, maxTargetTokens: 6 })).toEqual([
      ['5/2', '4/1'],
      ['2/1'],
      ['1/6'],
      ['10/1'],
      ['1/1'],
    ])
    expect(await packed({ maxInputTokens: 12, maxTargetTokens: 10 })).toEqual([
      ['5/2', '4/1', '2/1', '1/6'],
      ['10/1', '1/1'],
    ])
    const all = await packed({ maxInputTokens: 23, maxTargetTokens: 12, maxExamples: 4 })
    expect(all.map((batch) => batch.length)).toEqual([4, 2])
  })

  it('refuses an example that no batch can hold, and budgets below 1', async () => {
    await expect(packed({ maxInputTokens: 9, maxTargetTokens: 9 })).rejects.toThrow(DataError)
    await expect(packed({ maxInputTokens: 9, maxTargetTokens: 9 })).rejects.toThrow(/got one of 10 and 1/)
    for (const bad of [0, 1.5, Number.NaN]) {
      expect(() => data.pack({ maxInputTokens: bad, maxTargetTokens: 5 })).toThrow(ConfigError)
      expect(() => data.pack({ maxInputTokens: 5, maxTargetTokens: bad })).toThrow(ConfigError)
      expect(() => data.pack({ maxInputTokens: 5, maxTargetTokens: 5, maxExamples: bad })).toThrow(ConfigError)
    }
  })

  it('goes on where it was left', async () => {
    const options = { maxInputTokens: 12, maxTargetTokens: 10 }
    await expectResumable(() => streamOf(examples).through(data.pack(options)))
  })
})

describe('packed batches', () => {
  it('give loss and gradients of their examples one by one, to rounding', async () => {
    const before = device().memory().tensors
    const config = { d_model: 16, d_kv: 8, d_ff: 32, num_layers: 2, num_heads: 2, vocab_size: 100, dropout_rate: 0 }
    {
      using model = new T5ForConditionalGeneration(parseT5Config({ model_type: 't5', ...config }), { seed: 1 })
      model.train()
      const objective = data.spanCorruption({ vocabulary })
      const random = new Random(5)
      const texts = [3, 40, 17, 25, 31].map((length) => words(length, random))
      const stream = streamOf(texts)
        .through(data.map(objective))
        .through(data.pack({ maxInputTokens: 200, maxTargetTokens: 90 }))
      const [batch, ...others] = (await valuesOf(stream)) as [data.Seq2SeqExample[]]
      expect([batch.length, others]).toEqual([5, []])

      const gradients = async (batches: data.Seq2SeqExample[][]) => {
        const labels = batches.map((examples) => examples.reduce((sum, one) => sum + one.labels.length, 0))
        const total = labels.reduce((sum, count) => sum + count, 0)
        let loss = 0
        for (const [i, examples] of batches.entries()) {
          const own = scope(() => {
            const output = model.forward(data.collateSeq2Seq(examples)).loss as Tensor
            const weighted = ops.scale(output, (labels[i] as number) / total)
            weighted.backward()
            return weighted.detach()
          })
          loss += await own.item()
          own.dispose()
        }
        const values = new Map<string, ArrayLike<number>>()
        for (const [name, parameter] of model.namedParameters()) {
          values.set(name, await (parameter.grad as Tensor).data())
          parameter.grad?.dispose()
          parameter.grad = null
        }
        return { loss, values }
      }
      const together = await gradients([batch])
      const apart = await gradients(batch.map((one) => [one]))
      expectClose([together.loss], [apart.loss], 'loss')
      expect(together.values.size).toBeGreaterThan(20)
      for (const [name, values] of apart.values) expectClose(together.values.get(name) ?? [], values, name)
    }
    expect(device().memory().tensors).toBe(before)
  })

  it('are padded with what models ignore', () => {
    const batch = data.collateSeq2Seq([example(1, 3), example(2, 1)], 5)
    expect([...batch.inputIds.data]).toEqual([7, 5, 7, 7])
    expect([...batch.attentionMask.data]).toEqual([1, 0, 1, 1])
    expect([...batch.labels.data]).toEqual([8, 8, 8, 8, -100, -100])
    expect([...batch.decoderAttentionMask.data]).toEqual([1, 1, 1, 1, 0, 0])
    expect([batch.inputIds.shape, batch.labels.shape]).toEqual([
      [2, 2],
      [2, 3],
    ])
    expect(() => data.collateSeq2Seq([])).toThrow(DataError)
    expect(() => data.collateElectra([])).toThrow(DataError)
  })
})

describe('ELECTRA batches', () => {
  const special = { clsTokenId: 2, sepTokenId: 3, maskTokenId: 4 }

  it('run in the joint model', async () => {
    const json = { model_type: 'electra', vocab_size: 100, embedding_size: 16, hidden_size: 16, num_hidden_layers: 1 }
    const config = parseElectraConfig({
      ...json,
      num_attention_heads: 2,
      intermediate_size: 32,
      max_position_embeddings: 64,
    })
    using model = ElectraForJointPreTraining.fromConfigs(config, config)
    const random = new Random(3)
    const documents = [30, 80].map((length) => [words(length, random), words(length, random)])
    const stream = streamOf(documents)
      .through(data.flatMap(data.electraSegments({ vocabulary: special, maxLength: 64 })))
      .through(data.map(data.electraMasking({ vocabulary: special, maxLength: 64 })))
      .through(data.batch(8))
    const [examples] = (await valuesOf(stream)) as [data.ElectraExample[]]
    const batch = data.collateElectra(examples)
    const width = Math.max(...examples.map(({ inputIds }) => inputIds.length))
    for (const grid of Object.values(batch)) expect(grid.shape).toEqual([examples.length, width])
    const mask = batch.attentionMask.data
    expect(batch.labels.data.every((label, i) => label === -100 || mask[i] === 1)).toBe(true)
    const output = scope(() => model.forward(batch).loss.detach())
    expect(await output.item()).toBeGreaterThan(0)
    output.dispose()
  })
})

describe('segments', () => {
  const documents = [5, 0, 7, 3, 9].map((length, d) => Int32Array.from({ length }, (_, i) => 100 * d + i))
  const cut = (options: data.SegmentOptions) => valuesOf(streamOf(documents).through(data.segments(options)))

  it('join documents in groups, and cut each into one length', async () => {
    const all = documents.flatMap((document) => [...document])
    const whole = await cut({ segmentLength: 10 })
    expect(whole.map((segment) => segment.length)).toEqual([10, 10, 4])
    expect(whole.flatMap((segment) => [...segment])).toEqual(all)
    const groups = await cut({ segmentLength: 10, documents: 3 })
    expect(groups.map((segment) => segment.length)).toEqual([10, 2, 10, 2])
    expect(groups.flatMap((segment) => [...segment])).toEqual(all)
  })

  it('take one part of a long document', async () => {
    const long = [Int32Array.from({ length: 25 }, (_, i) => i)]
    const starts = new Map<number, number>()
    const stream = data
      .sample(data.datasetOf(long), { epochs: 3000 })
      .through(data.segments({ segmentLength: 10, documents: 1, maxDocumentLength: 10 }))
    for await (const segment of stream) {
      const start = segment[0] as number
      starts.set(start, (starts.get(start) ?? 0) + 1)
      if (segment.length !== (start === 20 ? 5 : 10)) throw new Error(`${segment.length} tokens from ${start}`)
    }
    expect([...starts.keys()].sort((a, b) => a - b)).toEqual([0, 10, 20])
    for (const count of starts.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt((3000 * 2) / 9))
  })

  it('go on where they were left, and refuse lengths below 1', async () => {
    await expectResumable(() => streamOf(documents).through(data.segments({ segmentLength: 4, documents: 2 })))
    expect(() => data.segments({ segmentLength: 0 })).toThrow(ConfigError)
    expect(() => data.segments({ segmentLength: 5, documents: 0 })).toThrow(ConfigError)
  })
})
