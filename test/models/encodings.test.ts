import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AutoTokenizer,
  ConfigError,
  device,
  ElectraForQuestionAnswering,
  ElectraModel,
  noGrad,
  ShapeError,
  scope,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForQuestionAnswering,
  T5ForSequenceClassification,
  type Tensor,
  type Tokenizer,
  textStream,
} from '../../lib/index.ts'
import { type ModelName, writeModel } from '../pipelines/folders.ts'

let root: string
let before: number
const folder = (name: ModelName) => join(root, name)
const names: ModelName[] = ['electra_features', 'electra_qa', 't5_features', 't5_qa', 't5_text', 't5_generate']
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'encodings-'))
  for (const name of names) writeModel(folder(name), name)
  before = device().memory().tensors
})
afterAll(() => {
  rmSync(root, { recursive: true })
  expect(device().memory().tensors).toBe(before)
})

async function valuesOf(forward: () => Tensor): Promise<number[]> {
  using tensor = noGrad(() => scope(forward))
  return [...(await tensor.data())]
}

const texts = ['anna lives in berlin', 'paris']

/** The same batch, as nested arrays. */
async function nested(tokenizer: Tokenizer) {
  const { encodings } = await tokenizer.encode(texts)
  const rows = (name: 'inputIds' | 'attentionMask' | 'tokenTypeIds') => encodings.map((row) => [...row[name]])
  return { inputIds: rows('inputIds'), attentionMask: rows('attentionMask'), tokenTypeIds: rows('tokenTypeIds') }
}

describe('encodings of a tokenizer', () => {
  it('are what models take', async () => {
    using electra = await ElectraModel.fromPretrained(folder('electra_features'))
    using t5 = await T5EncoderModel.fromPretrained(folder('t5_features'))
    for (const [model, name] of [
      [electra, 'electra_features'],
      [t5, 't5_features'],
    ] as const) {
      const tokenizer = await AutoTokenizer.fromPretrained(folder(name))
      const [batch, arrays] = [await tokenizer.encode(texts), await nested(tokenizer)]
      const got = await valuesOf(() => model.forward(batch).lastHiddenState)
      expect(got).toEqual(await valuesOf(() => model.forward(arrays).lastHiddenState))
      const single = await tokenizer.encode('paris')
      expect(await valuesOf(() => model.forward(single).lastHiddenState)).toHaveLength(single.length * 16)
    }
  })

  it('give flat arrays their shape, which they need', async () => {
    using model = await ElectraModel.fromPretrained(folder('electra_features'))
    const inputIds = Int32Array.of(1, 2, 3, 4)
    const { lastHiddenState } = noGrad(() => model.forward({ inputIds, shape: [2, 2] }))
    expect(lastHiddenState.shape).toEqual([2, 2, 16])
    lastHiddenState.dispose()
    expect(() => model.forward({ inputIds })).toThrow(/inputIds \(batch, length\), got Int32Array\(4\) without a shape/)
    expect(() => model.forward({ inputIds, shape: [2, 3] })).toThrow(ShapeError)
    expect(() => model.forward({ inputIds, shape: [4] })).toThrow(/expected inputIds \(batch, length\), got \(4\)/)
    expect(() => model.forward({ inputIds: [[1, 2]], attentionMask: Int32Array.of(1) })).toThrow(ShapeError)
  })

  it('may be generated from before they are there', async () => {
    using model = await T5ForConditionalGeneration.fromPretrained(folder('t5_generate'))
    const tokenizer = await AutoTokenizer.fromPretrained(folder('t5_generate'))
    const options = { maxNewTokens: 9 }
    const { sequences } = await model.generate(tokenizer.encode(texts), options)
    expect(sequences).toEqual((await model.generate(await nested(tokenizer), options)).sequences)
    await expect(model.generate(tokenizer.encode(3 as never))).rejects.toThrow(/expected a text/)
    const steps = model.generateStream(await tokenizer.encode('paris'), options)
    let streamed = ''
    for await (const piece of textStream(steps, tokenizer)) streamed += piece
    expect(streamed).toBe(await tokenizer.decode(sequences[1] as Int32Array, { skipSpecialTokens: true }))
  })
})

describe('masked positions', () => {
  it('of extractive heads may be left out: the others stay as they are', async () => {
    using electra = await ElectraForQuestionAnswering.fromPretrained(folder('electra_qa'))
    using t5 = await T5ForQuestionAnswering.fromPretrained(folder('t5_qa'))
    for (const [model, name] of [
      [electra, 'electra_qa'],
      [t5, 't5_qa'],
    ] as const) {
      const batch = await (await AutoTokenizer.fromPretrained(folder(name))).encode(texts)
      const startOf = (outputMasked: boolean) => valuesOf(() => model.forward({ ...batch, outputMasked }).startLogits)
      const [all, real] = [await startOf(true), await startOf(false)]
      real.forEach((logit, i) => {
        if (batch.attentionMask[i]) expect(logit).toBeCloseTo(all[i] as number, 5)
        else expect([logit, all[i]]).toEqual([0, expect.not.closeTo(0, 6)])
      })
      const labels = { startPositions: [0, 0], endPositions: [1, 1], outputMasked: false }
      expect(() => model.forward({ ...batch, ...labels })).toThrow(ConfigError)
    }
  })

  it('after the last end token change nothing in a T5 classifier', async () => {
    using model = await T5ForSequenceClassification.fromPretrained(folder('t5_text'))
    const tokenizer = await AutoTokenizer.fromPretrained(folder('t5_text'))
    const logitsOf = async (rows: readonly string[], options = {}) => {
      const batch = await tokenizer.encode(rows, options)
      return valuesOf(() => model.forward(batch).logits)
    }
    const alone = [...(await logitsOf([texts[0] as string])), ...(await logitsOf([texts[1] as string]))]
    const padded = await logitsOf(texts, { padToMultipleOf: 16 })
    alone.forEach((logit, i) => {
      expect(padded[i]).toBeCloseTo(logit, 5)
    })
  })
})
