// What ports of the two families get wrong, by its number in the list that test/pitfalls.test.ts goes through.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  device,
  ElectraForSequenceClassification,
  ElectraModel,
  nn,
  noGrad,
  ops,
  parseElectraConfig,
  parseT5Config,
  SafetensorsFile,
  saveSafetensors,
  scope,
  shiftRight,
  T5EncoderModel,
  T5ForConditionalGeneration,
  Tensor,
} from '../../lib/index.ts'
import { functions } from '../reference/activation.ts'
import { exact } from '../reference/array.ts'

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url))
const t5Json = { vocab_size: 40, d_model: 16, d_kv: 6, d_ff: 24, num_layers: 2, num_heads: 2 }
const electraJson = {
  vocab_size: 40,
  embedding_size: 8,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  initializer_range: 0.3,
}

let root: string
let tensors: number
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'pitfalls-'))
})
afterAll(() => rmSync(root, { recursive: true }))
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

/** Runs without a tape, reads one tensor of the result, and gives all memory back. */
async function read(run: () => Tensor | null): Promise<number[]> {
  using tensor = noGrad(() => scope(run)) as Tensor
  return Array.from(await tensor.data())
}

describe('T5', () => {
  it('A§9.2 gated-gelu is the tanh form, plain gelu the other', () => {
    const of = (name: string) => parseT5Config({ ...t5Json, feed_forward_proj: name })
    expect(of('gated-gelu')).toMatchObject({ denseActFn: 'geluTanh', isGatedAct: true })
    expect(of('gelu')).toMatchObject({ denseActFn: 'geluErf', isGatedAct: false })
    expect(of('gated-silu')).toMatchObject({ denseActFn: 'silu', isGatedAct: true })
  })

  it.each([
    // What files of each version say, and whether the decoder's result is scaled.
    [{}, true],
    [{ tie_word_embeddings: true }, true],
    [{ tie_word_embeddings: false }, false],
    [{ tie_word_embeddings: true, scale_decoder_outputs: false }, false],
    [{ tie_word_embeddings: false, scale_decoder_outputs: true }, true],
    [{ model_type: 'mt5' }, false],
    [{ model_type: 'mt5', tie_word_embeddings: true }, false],
    [{ model_type: 'mt5', tie_word_embeddings: false }, false],
    [{ model_type: 'umt5' }, true],
    [{ model_type: 'umt5', tie_word_embeddings: true }, true],
    [{ model_type: 'umt5', tie_word_embeddings: false }, false],
  ])('A§9.3 the scale before the output layer follows %o: %o', async (json, scaled) => {
    const config = parseT5Config({ ...t5Json, ...json })
    expect(config.scaleDecoderOutputs).toBe(scaled)
    using model = new T5ForConditionalGeneration(config, { seed: 1 }).eval()
    using plain = new T5ForConditionalGeneration({ ...config, scaleDecoderOutputs: false }, { seed: 1 }).eval()
    const inputs = { inputIds: [[5, 6, 1]], decoderInputIds: [[0, 7]] }
    const logits = await read(() => model.forward(inputs).logits)
    const unscaled = await read(() => plain.forward(inputs).logits)
    // A quarter is exact in binary.
    expect(logits).toEqual(unscaled.map((x) => (scaled ? x * 16 ** -0.5 : x)))
  })

  it('A§9.4 buckets begin where they should, on the side of the key', () => {
    const both = { numBuckets: 32, maxDistance: 128, bidirectional: true }
    const causal = { ...both, bidirectional: false }
    const starts = (rule: typeof both, sign: 1 | -1) =>
      Array.from({ length: 200 }, (_, r) => r).filter(
        (r) => r === 0 || nn.relativePositionBucket(sign * r, rule) !== nn.relativePositionBucket(sign * (r - 1), rule),
      )
    expect(starts(both, -1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91])
    expect(starts(both, 1)).toEqual(starts(both, -1))
    // Keys after the query have the second half.
    expect([-1, 0, 1, 127, 128, 500].map((r) => nn.relativePositionBucket(r, both))).toEqual([1, 0, 17, 31, 31, 31])
    expect(starts(causal, -1)).toEqual([
      ...Array(17).keys(),
      ...[19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113],
    ])
    expect([3, 0, -15, -113, -500].map((r) => nn.relativePositionBucket(r, causal))).toEqual([0, 0, 15, 31, 31])
  })

  it('A§9.5 one table serves all layers of a stack, and collects the gradients of all', async () => {
    using model = new T5ForConditionalGeneration(parseT5Config({ ...t5Json, num_layers: 3 }), { seed: 2 }).eval()
    const tables = [...model.namedParameters().keys()].filter((name) => name.includes('relative_attention_bias'))
    expect(tables).toEqual(
      ['encoder', 'decoder'].map((stack) => `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`),
    )
    for (const stack of [model.trunk.encoder, model.trunk.decoder]) {
      expect(new Set(stack?.blocks.map(({ bias }) => bias.table)).size).toBe(1)
    }
    using own = new T5ForConditionalGeneration(parseT5Config({ ...t5Json, model_type: 'umt5' }), { seed: 2 })
    expect([...own.namedParameters().keys()].filter((name) => name.includes('relative_attention_bias'))).toHaveLength(4)
  })

  it('A§9.8 labels shifted right begin with the start token, and hold no ignored ones', () => {
    const config = parseT5Config({ ...t5Json, decoder_start_token_id: 7, pad_token_id: 3 })
    const labels = { data: Int32Array.of(5, -100, 6, -100, 8, 9), shape: [2, 3] }
    expect([...shiftRight(labels, config).data]).toEqual([7, 5, 3, 7, 3, 8])
    const usual = parseT5Config(t5Json)
    expect([...shiftRight(labels, usual).data]).toEqual([0, 5, 0, 0, 0, 8])
  })

  it('A§9.9 the decoder attends to tokens with the padding id, the first one above all', async () => {
    using model = new T5ForConditionalGeneration(parseT5Config(t5Json), { seed: 3 }).eval()
    const inputs = { inputIds: [[5, 6, 1]], decoderInputIds: [[0, 7, 0, 8]] }
    const logits = (mask?: number[]) =>
      read(() => model.forward({ ...inputs, ...(mask && { decoderAttentionMask: [mask] }) }).logits)
    const [plain, all, none] = [await logits(), await logits([1, 1, 1, 1]), await logits([0, 1, 0, 1])]
    expect(plain).toEqual(all)
    // Had the ids made the mask, the last token would see two of the four.
    expect(plain.slice(-40)).not.toEqual(none.slice(-40))
  })

  it('A§9.26 16-bit weights do not overflow: what they give is computed in 32 bits', async () => {
    const folder = join(root, 'large')
    {
      using model = new T5EncoderModel(parseT5Config({ ...t5Json, initializer_factor: 250 }), { seed: 4 })
      await model.savePretrained(folder, { dtype: 'float16' })
    }
    using model = await T5EncoderModel.fromPretrained(folder, { dtype: 'float16' })
    const [states, last] = noGrad(() =>
      scope(() => {
        const output = model.forward({ inputIds: [[5, 6, 7, 1]], outputHiddenStates: true })
        return [output.hiddenStates?.at(-1) as Tensor, output.lastHiddenState]
      }),
    ) as [Tensor, Tensor]
    const stream = await states.data()
    const result = await last.data()
    states.dispose()
    last.dispose()
    // Beyond what 16 bits hold.
    expect(Math.max(...stream.map(Math.abs))).toBeGreaterThan(65504)
    expect(stream.every(Number.isFinite)).toBe(true)
    expect(result.every(Number.isFinite)).toBe(true)
  })

  it('A§9.27 a source that is masked altogether gives numbers, and no gradient', async () => {
    using model = new T5ForConditionalGeneration(parseT5Config(t5Json), { seed: 5 }).eval()
    const masked = {
      inputIds: [
        [5, 6],
        [7, 8],
      ],
      attentionMask: [
        [0, 0],
        [1, 1],
      ],
    }
    const decoderInputIds = [
      [0, 9],
      [0, 9],
    ]
    const logits = await read(() => model.forward({ ...masked, decoderInputIds }).logits)
    expect(logits.every(Number.isFinite)).toBe(true)
    const other = await read(
      () =>
        model.forward({
          ...masked,
          inputIds: [
            [9, 3],
            [7, 8],
          ],
          decoderInputIds,
        }).logits,
    )
    expect(other).toEqual(logits)
    scope(() => {
      model.forward({ ...masked, labels: [[9], [-100]] }).loss?.backward()
    })
    for (const [name, { grad }] of model.namedParameters()) {
      const values = grad ? await grad.data() : new Float32Array(1)
      expect(values.every(Number.isFinite), name).toBe(true)
      if (name.startsWith('encoder.'))
        expect(
          values.every((x) => x === 0),
          name,
        ).toBe(true)
    }
  })

  it('A§9.28 rows of the vocabulary that no token has take part in the softmax', async () => {
    using model = new T5ForConditionalGeneration(parseT5Config(t5Json), { seed: 6 }).eval()
    const inputs = { inputIds: [[5, 6, 1]], labels: [[7, 1]] }
    const loss = (await read(() => model.forward(inputs).loss))[0] as number
    const logits = await read(() => model.forward({ ...inputs, outputLogits: true }).logits)
    const nll = [7, 1].map((label, t) => {
      const row = logits.slice(40 * t, 40 * (t + 1))
      return Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[label]!
    })
    expect(Math.abs(loss - (nll[0]! + nll[1]!) / 2)).toBeLessThan(4 * 2 ** -23 * loss)
  })

  it('A§9.36 a 16-bit bias table and masks work as in 32 bits', async () => {
    const folder = join(root, 'half')
    {
      using model = new T5EncoderModel(parseT5Config(t5Json), { seed: 7 })
      await model.savePretrained(folder, { dtype: 'float16' })
    }
    const inputs = { inputIds: [[5, 6, 7, 8]], attentionMask: [[0, 1, 0, 1]] }
    using half = await T5EncoderModel.fromPretrained(folder, { dtype: 'float16' })
    using whole = await T5EncoderModel.fromPretrained(folder)
    const [got, want] = [
      await read(() => half.forward(inputs).lastHiddenState),
      await read(() => whole.forward(inputs).lastHiddenState),
    ]
    const largest = Math.max(...want.map(Math.abs))
    // The same numbers, with sums in another order at most.
    got.forEach((x, i) => {
      expect(Math.abs(x - want[i]!)).toBeLessThanOrEqual(32 * 2 ** -23 * largest)
    })
  })
})

it.each(['float16', 'bfloat16'] as const)(
  'A§9.36 %s weights generate what the same ones give in 32 bits',
  async (dtype) => {
    const folder = join(root, dtype)
    {
      using model = await T5ForConditionalGeneration.fromPretrained(golden('generation/gated_untied'))
      await model.savePretrained(folder, { dtype })
    }
    using half = await T5ForConditionalGeneration.fromPretrained(folder, { dtype })
    using whole = await T5ForConditionalGeneration.fromPretrained(folder)
    const options = { maxNewTokens: 12, outputLogits: true }
    const inputs = { inputIds: [[5, 6, 7, 9, 1]] }
    const [got, want] = [await half.generate(inputs, options), await whole.generate(inputs, options)]
    expect(got.sequences).toEqual(want.sequences)
    want.logits?.forEach((step, t) => {
      const row = step[0] as Float32Array
      const largest = Math.max(...row.map(Math.abs))
      row.forEach((logit, id) => {
        expect(Math.abs(got.logits![t]![0]![id]! - logit)).toBeLessThanOrEqual(64 * 2 ** -23 * largest)
      })
    })
  },
)

describe('ELECTRA', () => {
  it('A§9.36 16-bit weights give what the same ones give in 32 bits', async () => {
    const folder = join(root, 'half-electra')
    {
      using model = new ElectraModel(parseElectraConfig(electraJson), { seed: 7 })
      await model.savePretrained(folder, { dtype: 'float16' })
    }
    using half = await ElectraModel.fromPretrained(folder, { dtype: 'float16' })
    using whole = await ElectraModel.fromPretrained(folder)
    const inputs = { inputIds: [[5, 6, 7, 8]], attentionMask: [[0, 1, 0, 1]] }
    const got = await read(() => half.forward(inputs).lastHiddenState)
    const want = await read(() => whole.forward(inputs).lastHiddenState)
    const largest = Math.max(...want.map(Math.abs))
    want.forEach((x, i) => {
      expect(Math.abs(got[i]! - x)).toBeLessThanOrEqual(32 * 2 ** -23 * largest)
    })
  })

  it('A§9.2 gelu is the erf form', () => {
    expect(parseElectraConfig(electraJson).hiddenAct).toBe('geluErf')
    expect(parseElectraConfig({ ...electraJson, hidden_act: 'gelu_new' }).hiddenAct).toBe('geluTanh')
  })

  it('A§9.17 tokens are drawn in 32 bits from 16-bit logits, too', async () => {
    const values = Float32Array.from({ length: 3 * 500 }, (_, i) => Math.sin(i * 1.7) * 3)
    const half = Tensor.from(values, { shape: [3, 500], dtype: 'float16' })
    const whole = Tensor.from((await half.data()) as Float32Array, { shape: [3, 500] })
    const draw = (logits: Tensor) =>
      read(() => {
        const ids = Tensor.from(Int32Array.of(0, 1, 2))
        return ops.replaceTokens(logits, ids, ids, { seed: 3 }).sampledIds
      })
    expect(await draw(half)).toEqual(await draw(whole))
    half.dispose()
    whole.dispose()
  })

  it('A§9.19 an epsilon of 1e-12 counts in 16 bits, too', async () => {
    const norm = (dtype: 'float16' | 'bfloat16') =>
      read(() => {
        const of = (shape: number[], value: number) => Tensor.full(shape, value, { dtype })
        return ops.layerNorm(of([2, 8], 3), of([8], 1), of([8], 0.5), { eps: 1e-12 })
      })
    for (const dtype of ['float16', 'bfloat16'] as const) expect(await norm(dtype)).toEqual(new Array(16).fill(0.5))
  })

  it('A§9.20 the classification head is a layer with GELU, then another', async () => {
    using model = new ElectraForSequenceClassification(
      parseElectraConfig({ ...electraJson, num_labels: 3, hidden_act: 'relu' }),
      { seed: 8 },
    ).eval()
    const p = Object.fromEntries(
      await Promise.all(
        [...model.namedParameters()].map(async ([name, tensor]) => [name, Array.from(await tensor.data())] as const),
      ),
    )
    const [states, logits] = noGrad(() =>
      scope(() => {
        const output = model.forward({ inputIds: [[5, 6, 7]], outputHiddenStates: true })
        return [output.hiddenStates?.at(-1) as Tensor, output.logits]
      }),
    ) as [Tensor, Tensor]
    const first = Array.from(await states.data()).slice(0, 16)
    const got = Array.from(await logits.data())
    states.dispose()
    logits.dispose()
    const linear = (x: number[], name: string) =>
      p[`${name}.bias`]!.map(
        (b, o) => b + x.reduce((sum, v, i) => sum + v * p[`${name}.weight`]![o * x.length + i]!, 0),
      )
    const hidden = linear(first, 'classifier.dense').map((x) => functions.geluErf.f(x, exact))
    const want = linear(hidden, 'classifier.out_proj')
    const largest = Math.max(...want.map(Math.abs))
    got.forEach((x, i) => {
      expect(Math.abs(x - want[i]!)).toBeLessThan(16 * 2 ** -23 * largest)
    })
  })

  it('A§9.21 the loss of a batch is the mean of its sequences', async () => {
    using model = new ElectraForSequenceClassification(parseElectraConfig(electraJson), { seed: 9 }).eval()
    const loss = async (inputIds: number[][], labels: number[]) =>
      (await read(() => model.forward({ inputIds, labels }).loss))[0] as number
    const [a, b] = [
      [5, 6, 7],
      [8, 9, 3],
    ]
    const both = await loss([a, b], [0, 1])
    expect(Math.abs(both - ((await loss([a], [0])) + (await loss([b], [1]))) / 2)).toBeLessThan(8 * 2 ** -23 * both)
  })

  it('A§9.27 a text that is masked altogether gives numbers', async () => {
    using model = new ElectraModel(parseElectraConfig(electraJson), { seed: 5 }).eval()
    const inputs = {
      inputIds: [
        [5, 6],
        [7, 8],
      ],
      attentionMask: [
        [0, 0],
        [1, 1],
      ],
    }
    const hidden = await read(() => model.forward(inputs).lastHiddenState)
    expect(hidden.slice(0, 32)).toEqual(new Array(32).fill(0))
    expect(hidden.every(Number.isFinite)).toBe(true)
    using head = new ElectraForSequenceClassification(parseElectraConfig(electraJson), { seed: 5 }).eval()
    expect((await read(() => head.forward(inputs).logits)).every(Number.isFinite)).toBe(true)
  })
})

describe('checkpoints', () => {
  it('A§9.34 a tensor that is used twice is saved once, in a file that is marked', async () => {
    const folder = join(root, 'tied')
    using model = new T5ForConditionalGeneration(parseT5Config(t5Json))
    await model.savePretrained(folder)
    using file = SafetensorsFile.open(join(folder, 'model.safetensors'))
    expect(file.names().filter((name) => /shared|embed_tokens|lm_head/.test(name))).toEqual(['shared.weight'])
    expect(file.metadata.get('format')).toBe('pt')
  })

  it('A§9.40 what old files have too much is ignored; a warning names the rest', async () => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    try {
      const folder = join(root, 'old')
      using model = new T5ForConditionalGeneration(parseT5Config(t5Json), { seed: 1 })
      await model.savePretrained(folder)
      const shared = model.namedParameters().get('shared.weight') as Tensor
      const table = Tensor.zeros([32, 2])
      const old = {
        ...Object.fromEntries(model.namedParameters()),
        'encoder.embed_tokens.weight': shared,
        'decoder.embed_tokens.weight': shared,
        'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight': table,
      }
      const write = (more: Record<string, Tensor>) =>
        saveSafetensors(join(folder, 'model.safetensors'), { ...old, ...more })
      const load = () => T5ForConditionalGeneration.fromPretrained(folder)
      await write({})
      {
        using loaded = await load()
        expect(loaded.loadReport).toEqual({ missing: [], unexpected: [] })
      }
      {
        // An encoder alone leaves the decoder out: nobody needs to be told.
        using encoder = await T5EncoderModel.fromPretrained(folder)
        expect(encoder.loadReport).toEqual({ missing: [], unexpected: [] })
      }
      expect(warnings).not.toHaveBeenCalled()
      await write({ 'decoder.adapter.weight': table })
      {
        using loaded = await load()
        expect(loaded.loadReport.unexpected).toEqual(['decoder.adapter.weight'])
      }
      expect(warnings).toHaveBeenCalledTimes(1)
      expect(warnings.mock.calls[0]?.[0]).toMatch(/does not use: decoder\.adapter\.weight$/)
      table.dispose()
    } finally {
      warnings.mockRestore()
    }
  })

  it('A§9.3 an output layer of its own stays one, whatever config.json says', async () => {
    using resaved = await T5ForConditionalGeneration.fromPretrained(golden('loading/t5_untied_resaved'))
    expect(resaved.config).toMatchObject({ tieWordEmbeddings: false, scaleDecoderOutputs: false })
    expect(resaved.namedParameters().has('lm_head.weight')).toBe(true)
    using legacy = await T5ForConditionalGeneration.fromPretrained(golden('loading/t5_legacy_tied'))
    expect(legacy.config).toMatchObject({ tieWordEmbeddings: true, scaleDecoderOutputs: true })
    expect(legacy.namedParameters().has('lm_head.weight')).toBe(false)
  })
})
