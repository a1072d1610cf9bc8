import { afterAll, describe, expect, it } from 'vitest'
import {
  ConfigError,
  DataError,
  device,
  ElectraForMaskedLM,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraModel,
  IndexError,
  noGrad,
  parseElectraConfig,
  parseT5Config,
  ShapeError,
  T5ForConditionalGeneration,
  type Tensor,
} from '../../lib/index.ts'

const t5Config = parseT5Config({
  vocab_size: 40,
  d_model: 16,
  d_kv: 4,
  d_ff: 24,
  num_layers: 2,
  num_heads: 3,
})
const electraConfig = parseElectraConfig({
  vocab_size: 40,
  embedding_size: 8,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 512,
})

describe('inputs that are not what they should be', () => {
  const t5 = new T5ForConditionalGeneration(t5Config)
  const electra = new ElectraForMaskedLM(electraConfig)
  afterAll(() => {
    t5.dispose()
    electra.dispose()
  })
  const labels = [[1, 2]]

  it('ids out of range', () => {
    expect(() => t5.forward({ inputIds: [[3, 40]], labels })).toThrow(IndexError)
    expect(() => t5.forward({ inputIds: [[3, 40]], labels })).toThrow(/inputIds in \[0, 40\), got 40 at \(0, 1\)/)
    expect(() => t5.forward({ inputIds: [[3]], labels: [[-1]] })).toThrow(/labels in \[0, 40\) or -100, got -1/)
    expect(() => electra.forward({ inputIds: [[-1]] })).toThrow(IndexError)
    expect(() => electra.forward({ inputIds: [[1]], tokenTypeIds: [[2]] })).toThrow(/tokenTypeIds in \[0, 2\)/)
  })

  it('no tokens', () => {
    expect(() => t5.forward({ inputIds: [[]], labels })).toThrow(DataError)
    expect(() => electra.forward({ inputIds: { data: [], shape: [0, 4] } })).toThrow(DataError)
  })

  it('more tokens than positions; padding does not count', () => {
    const long = [new Array<number>(513).fill(1)]
    expect(() => electra.forward({ inputIds: long })).toThrow(/at most 512 tokens a sequence .*, got 513/)
    const mask = [long[0]!.map((_, i) => Number(i < 5))]
    expect(electra.forward({ inputIds: long, attentionMask: mask }).logits?.shape).toEqual([1, 513, 40])
  })

  it('masks and labels of another shape, ragged rows, missing inputs', () => {
    expect(() => t5.forward({ inputIds: [[1, 2]], attentionMask: [[1]], labels })).toThrow(ShapeError)
    expect(() => electra.forward({ inputIds: [[1, 2]], attentionMask: [1, 1] })).toThrow(/attentionMask \(1, 2\)/)
    expect(() => electra.forward({ inputIds: [[1], [1, 2]] })).toThrow(/ragged/)
    expect(() => electra.forward({ inputIds: [[1]], attentionMask: [[2]] })).toThrow(IndexError)
    expect(() => t5.forward({ inputIds: [[1]] })).toThrow(/decoderInputIds or labels/)
    expect(() => t5.forward({ labels })).toThrow(/inputIds or encoderOutputs/)
    expect(() => t5.forward({ inputIds: [[1], [2]], labels })).toThrow(/labels \(2, length\)/)
  })

  it('configurations', () => {
    expect(() => parseT5Config({ model_type: 'bert' })).toThrow(ConfigError)
    expect(() => parseT5Config({ feed_forward_proj: 'gated-tanh' })).toThrow(/feed_forward_proj/)
    expect(() => parseElectraConfig({ hidden_size: 10, num_attention_heads: 3 })).toThrow(/multiple/)
    expect(() => parseElectraConfig({ is_decoder: true })).toThrow(ConfigError)
  })

  it('leave nothing behind', () => {
    const { tensors } = device().memory()
    expect(() => t5.forward({ inputIds: [[3]], labels: [[99]] })).toThrow()
    expect(() => electra.forward({ inputIds: [[1, 2]], labels: [[1]] })).toThrow()
    expect(device().memory().tensors).toBe(tensors)
  })
})

/** Sequences one at a time, or padded together with what is masked on either side. */
const lengths = [1, 2, 17, 64, 255, 512]
const ids = lengths.map((n, b) => Array.from({ length: n }, (_, i) => 3 + ((i * 7 + b * 5) % 37)))
const width = 512

function padded(left: boolean) {
  const fill = (row: readonly number[], values: readonly number[]) => {
    const rest = new Array<number>(width - row.length).fill(0)
    return left ? [...rest, ...values] : [...values, ...rest]
  }
  return {
    inputIds: ids.map((row) => fill(row, row)),
    attentionMask: ids.map((row) =>
      fill(
        row,
        row.map(() => 1),
      ),
    ),
  }
}

async function largestDifference(whole: Tensor, alone: readonly Tensor[], startOf: (b: number) => number) {
  const columns = whole.shape[2] as number
  const all = await whole.data()
  let worst = 0
  for (const [b, tensor] of alone.entries()) {
    const own = await tensor.data()
    const offset = (b * width + startOf(b)) * columns
    own.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - (all[offset + i] as number)))
    })
  }
  return worst
}

describe('a batch gives what each of its sequences gives alone', () => {
  it('ELECTRA, padded on the right, lengths 1 to 512', async () => {
    using model = new ElectraModel(electraConfig, { seed: 3 }).eval()
    const run = (inputs: Parameters<typeof model.forward>[0]) => noGrad(() => model.forward(inputs).lastHiddenState)
    const alone = ids.map((row) => run({ inputIds: [row] }))
    // Layer norms keep values near 1; 50 roundings of float32 are 6e-6.
    expect(await largestDifference(run(padded(false)), alone, () => 0)).toBeLessThan(6e-6)
  })

  it('T5, padded on either side', async () => {
    using model = new T5ForConditionalGeneration(t5Config, { seed: 4 }).eval()
    const last = (inputs: Parameters<typeof model.forward>[0]) =>
      noGrad(() => model.forward({ ...inputs, outputHiddenStates: true }).encoderLastHiddenState as Tensor)
    const alone = ids.map((row) => last({ inputIds: [row], decoderInputIds: [[0]] }))
    for (const left of [false, true]) {
      const batch = last({ ...padded(left), decoderInputIds: ids.map(() => [0]) })
      const start = (b: number) => (left ? width - (lengths[b] as number) : 0)
      expect(await largestDifference(batch, alone, start)).toBeLessThan(6e-6)
    }
  })

  it('masked tokens change nothing', async () => {
    using model = new ElectraForSequenceClassification(electraConfig, { seed: 5 }).eval()
    const logits = (token: number) =>
      noGrad(() => model.forward({ inputIds: [[5, 6, token]], attentionMask: [[1, 1, 0]] }).logits).data()
    expect(await logits(7)).toEqual(await logits(31))
  })

  it('extractive heads read masked positions, too', async () => {
    using model = new ElectraForQuestionAnswering(electraConfig, { seed: 5 }).eval()
    const output = noGrad(() => model.forward({ inputIds: [[5, 6, 7]], attentionMask: [[1, 1, 0]] }))
    const [, , third] = await output.startLogits.data()
    expect(third).not.toBe(0)
  })
})

describe('training mode', () => {
  const inputs = { inputIds: [[5, 6, 7, 8]], labels: [[9, 10, 1]] }

  it('drops by seed and step, and not in eval mode', async () => {
    using model = new T5ForConditionalGeneration(t5Config, { seed: 1 })
    const loss = async (seed: number, step: number) => {
      model.setRandom({ seed, step })
      return (model.forward(inputs).loss as Tensor).item()
    }
    expect(await loss(1, 0)).toBe(await loss(1, 0))
    expect(await loss(1, 0)).not.toBe(await loss(1, 1))
    expect(await loss(1, 0)).not.toBe(await loss(2, 0))
    model.eval()
    expect(await loss(1, 0)).toBe(await loss(2, 1))
  })

  it('recomputing blocks in backward gives the same gradients, bit by bit', async () => {
    const gradients = async (checkpointing: boolean) => {
      using model = new T5ForConditionalGeneration(t5Config, { seed: 1 })
      model.gradientCheckpointing = checkpointing
      model.setRandom({ seed: 1, step: 3 })
      model.forward(inputs).loss?.backward()
      return Promise.all([...model.namedParameters().values()].map((tensor) => tensor.grad?.data()))
    }
    expect(await gradients(true)).toEqual(await gradients(false))
  })

  it('masks may be shared along the length', async () => {
    const config = { ...t5Config, dropoutRate: 0.5, dropoutBroadcast: 'length' as const }
    using model = new T5ForConditionalGeneration(config, { seed: 1 })
    model.setRandom({ seed: 1, step: 0 })
    const { loss, decoderHiddenStates } = model.forward({ ...inputs, outputHiddenStates: true })
    loss?.backward()
    const [embedded] = decoderHiddenStates as Tensor[]
    const values = await (embedded as Tensor).data()
    // Where a column is dropped, it is so in all three rows.
    for (let j = 0; j < 16; j++) {
      const zeros = [0, 1, 2].filter((t) => values[t * 16 + j] === 0).length
      expect([0, 3]).toContain(zeros)
    }
    expect(values.filter((value) => value === 0).length).toBeGreaterThan(0)
  })

  it('a step leaves no tensors but the gradients', () => {
    using model = new T5ForConditionalGeneration(t5Config)
    const before = device().memory().tensors
    const { loss } = model.forward(inputs)
    loss?.backward()
    loss?.dispose()
    const gradients = model.parameters().filter((tensor) => tensor.grad).length
    expect(device().memory().tensors).toBe(before + gradients)
  })

  it('initial parameters follow the seed, and start the loss near ln V', async () => {
    const config = parseT5Config({ ...t5Config.json, d_model: 64, vocab_size: 512 })
    using model = new T5ForConditionalGeneration(config, { seed: 2 }).eval()
    const loss = await (model.forward({ inputIds: [[5, 6]], labels: [[1, 2, 3, 4, 5, 6]] }).loss as Tensor).item()
    expect(Math.abs(loss - Math.log(512))).toBeLessThan(3)
  })
})
