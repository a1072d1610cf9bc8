// Passes in inference that come again are captured and replayed: they give what the ops themselves give.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  device,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
  keep,
  noGrad,
  optim,
  parseElectraConfig,
  parseT5Config,
  scope,
  T5EncoderModel,
  T5ForConditionalGeneration,
  Tensor,
} from '../../lib/index.ts'
import { memoryInUse, randomOf } from '../harness.ts'

const electra = parseElectraConfig({
  vocab_size: 60,
  embedding_size: 16,
  hidden_size: 32,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  intermediate_size: 48,
})
const t5 = parseT5Config({ vocab_size: 60, d_model: 32, d_kv: 8, d_ff: 64, num_layers: 3, num_heads: 4 })

interface Batch {
  readonly inputIds: readonly (readonly number[])[]
  readonly attentionMask: readonly (readonly number[])[]
}
interface Model extends Disposable {
  parameters(): Tensor[]
  computeDtype: 'float32' | 'bfloat16' | 'float16'
}

const families: Record<string, () => Model & { run(batch: Batch): Tensor }> = {
  ElectraModel: () => withRun(new ElectraModel(electra), (model, batch) => model.forward(batch).lastHiddenState),
  ElectraForSequenceClassification: () =>
    withRun(new ElectraForSequenceClassification(electra), (model, batch) => model.forward(batch).logits),
  ElectraForTokenClassification: () =>
    withRun(new ElectraForTokenClassification(electra), (model, batch) => model.forward(batch).logits),
  T5EncoderModel: () => withRun(new T5EncoderModel(t5), (model, batch) => model.forward(batch).lastHiddenState),
  T5ForConditionalGeneration: () =>
    withRun(new T5ForConditionalGeneration(t5), (model, batch) => {
      const decoderInputIds = batch.inputIds.map(() => [0, 5, 6])
      return model.forward({ ...batch, decoderInputIds }).logits as Tensor
    }),
}
function withRun<M extends Model & { eval(): M }>(model: M, run: (model: M, batch: Batch) => Tensor) {
  return Object.assign(model.eval(), { run: (batch: Batch) => noGrad(() => scope(() => run(model, batch))) })
}

const random = randomOf(5)
/** Sequences of these lengths, padded to the longest; the ids differ each time. */
function batchOf(...lengths: number[]): Batch {
  const longest = Math.max(...lengths)
  const rows = lengths.map((length) =>
    Array.from({ length: longest }, (_, t) => (t < length ? 3 + random.integer(50) : 0)),
  )
  return {
    inputIds: rows,
    attentionMask: lengths.map((length) => Array.from({ length: longest }, (_, t) => Number(t < length))),
  }
}
async function dataOf(result: Tensor) {
  using tensor = result
  return await tensor.data()
}
/** What a model of the same parameters gives that has not seen such a batch. */
async function fresh(make: () => Model & { run(batch: Batch): Tensor }, batch: Batch) {
  using model = make()
  return await dataOf(model.run(batch))
}

let before: ReturnType<typeof memoryInUse>
beforeEach(() => {
  before = memoryInUse()
})
afterEach(() => expect(memoryInUse()).toEqual(before))

describe.each(Object.entries(families))('%s', (_, make) => {
  test.each([
    ['one text', [9]],
    ['texts of one length', [5, 5]],
    ['texts of several lengths', [7, 1, 12]],
  ] as const)('%s', async (_, lengths) => {
    using model = make()
    for (let time = 0; time < 4; time++) {
      const batch = batchOf(...lengths)
      expect(await dataOf(model.run(batch))).toEqual(await fresh(make, batch))
    }
  })

  test('kinds in turn, results read later', async () => {
    using model = make()
    const batches = Array.from({ length: 12 }, (_, i) => batchOf(...([[4], [6], [3, 6]][i % 3] as number[])))
    const results = batches.map((batch) => model.run(batch))
    for (const [i, result] of results.entries()) {
      expect(await dataOf(result)).toEqual(await fresh(make, batches[i] as Batch))
    }
  })

  test('an update between', async () => {
    using model = make()
    using other = make()
    const batch = batchOf(8)
    for (let time = 0; time < 3; time++) model.run(batch).dispose()
    for (const each of [model, other]) step(each)
    const expected = await dataOf(other.run(batch))
    for (let time = 0; time < 4; time++) expect(await dataOf(model.run(batch))).toEqual(expected)
  })

  test('another dtype between', async () => {
    using model = make()
    const batch = batchOf(8)
    for (let time = 0; time < 3; time++) model.run(batch).dispose()
    model.computeDtype = 'bfloat16'
    const expected = await fresh(() => Object.assign(make(), { computeDtype: 'bfloat16' as const }), batch)
    for (let time = 0; time < 4; time++) expect(await dataOf(model.run(batch))).toEqual(expected)
  })

  test('masks with holes, of as many tokens each time', async () => {
    using model = make()
    const masks = [
      [1, 1, 1, 1, 0, 0],
      [0, 0, 1, 1, 1, 1],
      [1, 0, 1, 1, 0, 1],
    ]
    for (let time = 0; time < 9; time++) {
      const batch = { ...batchOf(6), attentionMask: [masks[time % 3] as number[]] }
      expect(await dataOf(model.run(batch))).toEqual(await fresh(make, batch))
    }
  })
})

/** Moves all parameters by gradients of ones. */
function step(model: Model): void {
  using optimizer = new optim.SGD(model.parameters())
  for (const parameter of model.parameters()) parameter.grad = keep(Tensor.ones(parameter.shape))
  optimizer.step({ lr: 0.01 })
  for (const parameter of model.parameters()) {
    parameter.grad?.dispose()
    parameter.grad = null
  }
}

test('hidden states and attention maps are there as before', async () => {
  using model = new ElectraModel(electra).eval()
  const batch = batchOf(5)
  const seen = () =>
    noGrad(() => scope(() => model.forward({ ...batch, outputHiddenStates: true, outputAttentions: true })))
  for (let time = 0; time < 3; time++) noGrad(() => scope(() => model.forward(batch).lastHiddenState)).dispose()
  const { lastHiddenState, embeddings, hiddenStates, attentions } = seen()
  expect(hiddenStates?.length).toBe(electra.numHiddenLayers + 1)
  expect(await hiddenStates?.at(-1)?.data()).toEqual(await lastHiddenState.data())
  for (const tensor of [lastHiddenState, embeddings, ...(hiddenStates ?? []), ...(attentions ?? [])]) tensor?.dispose()
})

test('of many kinds the last are remembered, and hold little', async () => {
  using model = new ElectraModel(electra).eval()
  const pass = (length: number) => noGrad(() => scope(() => model.forward(batchOf(length)).lastHiddenState))
  for (let time = 0; time < 3; time++) pass(100).dispose()
  await device().synchronize()
  const { tensors, live } = memoryInUse()
  for (let length = 1; length <= 100; length++) for (let time = 0; time < 3; time++) pass(length).dispose()
  expect(memoryInUse().tensors).toBe(tensors)
  // Of each the two offsets and the rows' places.
  expect(memoryInUse().live - live).toBeGreaterThan(8 * 1024)
  expect(memoryInUse().live - live).toBeLessThan(64 * 1024)
})

test('memory that is not there is said once, and the next pass is as good as any', async () => {
  using model = new ElectraModel(electra).eval()
  const batch = batchOf(50)
  const pass = () => noGrad(() => scope(() => model.forward(batch).lastHiddenState))
  const expected = await dataOf(pass())
  const cpu = device()
  for (const time of [2, 3]) {
    cpu.trim()
    cpu.setMemoryLimit(cpu.memory().live + 8 * 1024)
    expect(pass, `pass ${time}`).toThrow('out of memory')
    cpu.setMemoryLimit(2 ** 40)
    expect(await dataOf(pass())).toEqual(expected)
  }
})
