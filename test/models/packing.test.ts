// A batch with any mask against the same models in float64 over the whole rectangle, and what the packed one computes.
import { beforeEach, describe, expect, it } from 'vitest'
import {
  device,
  ElectraModel,
  noGrad,
  parseElectraConfig,
  parseT5Config,
  scope,
  T5ForConditionalGeneration,
  type Tensor,
} from '../../lib/index.ts'
import { electraEncoder, type Parameters, t5Decoder, t5Encoder } from '../reference/padded-models.ts'

const [layers, heads] = [2, 2]
const electraConfig = parseElectraConfig({
  vocab_size: 40,
  embedding_size: 8,
  hidden_size: 16,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  intermediate_size: 24,
  max_position_embeddings: 512,
  initializer_range: 0.3,
})
const t5Config = parseT5Config({ vocab_size: 40, d_model: 16, d_kv: 6, d_ff: 24, num_layers: layers, num_heads: heads })

const width = 512
const lengths = [1, 2, 17, 64, 255, 512]
const ids = lengths.map((_, b) => Array.from({ length: width }, (_, t) => 3 + ((t * 7 + b * 5) % 37)))
const maskBy = (real: (t: number, length: number, b: number) => boolean) =>
  lengths.map((length, b) => Array.from({ length: width }, (_, t) => Number(real(t, length, b))))

const masks = {
  'padding on the right': maskBy((t, length) => t < length),
  'padding on the left': maskBy((t, length) => t >= width - length),
  // The first token of most sequences is hidden, too.
  holes: maskBy((t, length, b) => t < length && (length < 3 || (t * t + b) % 3 === 1)),
}
type Mask = number[][]
const count = (mask: Mask) => mask.flat().filter((m) => m === 1).length
/** Σ over sequences of (real tokens)². */
const pairs = (mask: Mask) => mask.reduce((sum, row) => sum + row.filter((m) => m === 1).length ** 2, 0)

async function parametersOf(model: { namedParameters(): Map<string, Tensor> }): Promise<Parameters> {
  const entries = [...model.namedParameters()].map(
    async ([name, tensor]) =>
      [name.replace(/^electra\./, ''), { data: Float64Array.from(await tensor.data()), shape: tensor.shape }] as const,
  )
  return new Map(await Promise.all(entries))
}

interface Rows {
  readonly data: Float64Array
  readonly columns: number
}

/** Compares real tokens; masked ones are zeros. */
function expectEqual(got: ArrayLike<number>, want: readonly Rows[], mask: Mask): void {
  let worst = 0
  let largest = 0
  want.forEach(({ data, columns }, b) => {
    data.forEach((value, i) => {
      const t = Math.floor(i / columns)
      const ours = got[(b * mask[b]!.length + t) * columns + (i % columns)]!
      if (mask[b]![t] === 1) {
        worst = Math.max(worst, Math.abs(ours - value))
        largest = Math.max(largest, Math.abs(value))
      } else {
        expect(ours).toBe(0)
      }
    })
  })
  // Two layers of sums of float32, each a few dozen terms long.
  expect(worst).toBeLessThan(32 * 2 ** -23 * largest)
}

const flops = () => {
  const { gemm, attentionFwd } = device().counters()
  return { gemm: gemm?.flops, attention: attentionFwd?.flops }
}
beforeEach(() => device().resetCounters())

describe.each(Object.entries(masks))('with %s', (_, mask) => {
  const N = count(mask)

  it('ELECTRA gives what the padded computation gives, and works for real tokens alone', async () => {
    using model = new ElectraModel(electraConfig, { seed: 3 }).eval()
    device().resetCounters()
    using hidden = noGrad(() => scope(() => model.forward({ inputIds: ids, attentionMask: mask }).lastHiddenState))
    const { embeddingSize: E, hiddenSize: d, intermediateSize: ff } = electraConfig
    expect(flops()).toEqual({
      gemm: 2 * N * (E * d + layers * (3 * d * d + d * d + 2 * d * ff)),
      attention: 4 * d * layers * pairs(mask),
    })
    expectEqual(await hidden.data(), electraEncoder(await parametersOf(model), { ids, mask }, layers, heads), mask)
  })

  it('T5 gives what the padded computation gives, and works for real tokens alone', async () => {
    using model = new T5ForConditionalGeneration(t5Config, { seed: 4 }).eval()
    device().resetCounters()
    using encoded = noGrad(() => model.encode({ inputIds: ids, attentionMask: mask }).hidden)
    const { dModel: d, dFF: ff } = t5Config
    const inner = heads * t5Config.dKV
    expect(encoded.shape).toEqual([N, d])
    expect(flops()).toEqual({
      gemm: 2 * N * layers * (4 * d * inner + 2 * d * ff),
      attention: 4 * inner * layers * pairs(mask),
    })

    // The decoder reads 40 of each sequence's tokens, under a part of the same mask.
    const columns = 40
    const decoderInputIds = ids.map((row) => row.slice(100, 100 + columns))
    const decoderAttentionMask = mask.map((row) =>
      (row.slice(0, columns).includes(1) ? row : row.toReversed()).slice(0, columns),
    )
    const inputs = { inputIds: ids, attentionMask: mask, decoderInputIds, decoderAttentionMask }
    using decoded = noGrad(
      () => scope(() => model.forward({ ...inputs, outputHiddenStates: true }).decoderLastHiddenState) as Tensor,
    )
    const p = await parametersOf(model)
    const shape = { layers, heads }
    const want = t5Encoder(p, { ids, mask }, shape)
    const flat = await encoded.data()
    let row = 0
    const unpacked = mask.flatMap((real) =>
      real.flatMap((m) => (m === 1 ? [...flat.slice(row * d, ++row * d)] : new Array<number>(d).fill(0))),
    )
    expectEqual(unpacked, want, mask)
    const decoder = { ids: decoderInputIds, mask: decoderAttentionMask }
    expectEqual(await decoded.data(), t5Decoder(p, decoder, want, mask, shape), decoderAttentionMask)
  })
})

it('sequences cost together what they cost one by one', () => {
  using model = new ElectraModel(electraConfig, { seed: 3 }).eval()
  const run = (inputIds: number[][], attentionMask: Mask) => {
    device().resetCounters()
    noGrad(() =>
      scope(() => {
        model.forward({ inputIds, attentionMask })
      }),
    )
    return flops() as { gemm: number; attention: number }
  }
  const mask = masks['padding on the right']
  const together = run(ids, mask)
  const alone = lengths.map((length, b) => run([ids[b]!.slice(0, length)], [mask[b]!.slice(0, length)]))
  expect(together.gemm).toBe(alone.reduce((sum, { gemm }) => sum + gemm, 0))
  expect(together.attention).toBe(alone.reduce((sum, { attention }) => sum + attention, 0))
})

it.each([[[1, 0, 1]], [[0, 1, 1]], [[1, 1, 0]]])(
  'sequences without a real token (0) among those that are a group by themselves: %j',
  async (real) => {
    using model = new T5ForConditionalGeneration(t5Config, { seed: 4 }).eval()
    const inputIds = real.map(() => Array.from({ length: 600 }, (_, t) => 3 + (t % 37)))
    const attentionMask = inputIds.map((row, b) => row.map(() => real[b]!))
    using encoded = noGrad(() => model.encode({ inputIds, attentionMask }).hidden)
    using alone = noGrad(() => model.encode({ inputIds: inputIds.slice(0, 1) }).hidden)
    const [both, one] = [await encoded.data(), await alone.data()]
    expect(both).toHaveLength(2 * one.length)
    expect(both.slice(0, one.length)).toEqual(one)
    expect(both.slice(one.length)).toEqual(one)
  },
)
