import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  AutoModel,
  AutoModelForMaskedLM,
  ConfigError,
  T5ForConditionalGeneration,
  T5ForQuestionAnswering,
  T5ForSequenceClassification,
  T5ForTokenClassification,
  type Tensor,
} from '../../lib/index.ts'

const folder = (name: string) => fileURLToPath(new URL(`../golden/t5_heads/${name}`, import.meta.url))
const inputs = {
  inputIds: [
    [5, 6, 7, 1],
    [8, 9, 1, 0],
  ],
  attentionMask: [
    [1, 1, 1, 1],
    [1, 1, 1, 0],
  ],
}

interface Expected {
  readonly loss: number
  readonly gradients: Record<string, number>
}

async function compare(name: string, loss: Tensor | null, parameters: Map<string, Tensor>): Promise<void> {
  const want = JSON.parse(readFileSync(`${folder(name)}/expected.json`, 'utf8')) as Expected
  // As in the fixtures: 16 float32 roundings of the largest value, and 1e-5 of each.
  const tolerance = (value: number, largest: number) => 16 * 2 ** -23 * largest + 1e-5 * value
  expect(Math.abs((await (loss as Tensor).item()) - want.loss)).toBeLessThan(tolerance(want.loss, want.loss))
  loss?.backward()
  expect([...parameters.keys()].sort()).toEqual(Object.keys(want.gradients).sort())
  const largest = Math.max(...Object.values(want.gradients))
  for (const [key, { grad }] of parameters) {
    const sum = grad ? Array.from(await grad.data(), Math.abs).reduce((total, value) => total + value, 0) : 0
    const expected = want.gradients[key] as number
    expect(Math.abs(sum - expected), key).toBeLessThan(tolerance(expected, largest))
  }
}

describe('T5 equals the reference', () => {
  it('in sequence classification', async () => {
    using model = await T5ForSequenceClassification.fromPretrained(folder('sequence_classification'))
    const { loss } = model.forward({ ...inputs, labels: [2, 0] })
    await compare('sequence_classification', loss, model.namedParameters())
    expect(() =>
      model.forward({
        inputIds: [
          [5, 1, 1],
          [5, 6, 1],
        ],
      }),
    ).toThrow(/as many end-of-sequence tokens/)
  })

  it('in token classification', async () => {
    using model = await T5ForTokenClassification.fromPretrained(folder('token_classification'))
    const labels = [
      [0, 1, 2, 0],
      [1, 1, 0, -100],
    ]
    await compare('token_classification', model.forward({ ...inputs, labels }).loss, model.namedParameters())
  })

  it('in question answering', async () => {
    using model = await T5ForQuestionAnswering.fromPretrained(folder('question_answering'))
    const { loss } = model.forward({ ...inputs, startPositions: [1, 0], endPositions: [2, 9] })
    await compare('question_answering', loss, model.namedParameters())
  })

  it('with a bias table in each block (umT5)', async () => {
    using model = await T5ForConditionalGeneration.fromPretrained(folder('umt5'))
    const labels = [
      [3, 4, 1],
      [5, 1, -100],
    ]
    await compare('umt5', model.forward({ ...inputs, labels }).loss, model.namedParameters())
  })
})

it('the model type chooses the class', async () => {
  using model = await AutoModel.fromPretrained(folder('umt5'))
  expect(model.constructor.name).toBe('T5EncoderModel')
  await expect(AutoModelForMaskedLM.fromPretrained(folder('umt5'))).rejects.toThrow(ConfigError)
  await expect(AutoModelForMaskedLM.fromPretrained(folder('umt5'))).rejects.toThrow(/got string "umt5"/)
})
