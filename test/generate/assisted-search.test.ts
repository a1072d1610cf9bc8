import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConfigError, device, generate, generateStream } from '../../lib/index.ts'
import { batchOf, FakeModel } from './fake-model.ts'

const sources = [[2, 5, 7], [3], [4, 4, 9, 8, 2, 6], [10, 6]]

let tensors: number
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

const processed = { repetitionPenalty: 1.3, noRepeatNgramSize: 3, minLength: 5, forcedEosTokenId: 1 }

test.each([1, 2, 3, 4, 5])('guessing changes nothing but the number of steps, model %i', async (seed) => {
  const model = new FakeModel({ seed, endBias: 0.5 })
  for (const options of [
    { maxNewTokens: 17 },
    { maxNewTokens: 17, ...processed, outputScores: true, outputLogits: true },
  ]) {
    const plain = await generate(model, batchOf(sources), options)
    const other = new FakeModel({ seed: seed + 100 })
    for (const draft of [
      { promptLookupNumTokens: 4 },
      { promptLookupNumTokens: 3, maxMatchingNgramSize: 1 },
      { assistantModel: other, numAssistantTokens: 3 },
      { assistantModel: model, numAssistantTokens: 5, numAssistantTokensSchedule: 'heuristic' as const },
    ]) {
      expect(await generate(model, batchOf(sources), { ...options, ...draft })).toEqual(plain)
    }
  }
})

test('a draft that is always right takes a step for all its tokens', async () => {
  const neverEnding = { seed: 2, endBias: -1e6 }
  const model = new FakeModel(neverEnding)
  const plain = await generate(model, batchOf(sources), { maxNewTokens: 20 })
  expect(model.steps).toHaveLength(20)
  model.steps.length = 0
  const assistantModel = new FakeModel(neverEnding)
  const options = { maxNewTokens: 20, assistantModel, numAssistantTokens: 4 }
  expect((await generate(model, batchOf(sources), options)).sequences).toEqual(plain.sequences)
  expect(model.steps).toEqual([4, 4, 4, 4])
})

test('streams, and gives the memory of both models back', async () => {
  const model = new FakeModel({ seed: 2 })
  const assistantModel = new FakeModel({ seed: 3 })
  for await (const { rows, tokens } of generateStream(model, batchOf(sources), { assistantModel })) {
    expect(rows.length).toBe(tokens.length)
    break
  }
})

test('refuses what greedy search has not', async () => {
  const model = new FakeModel({ seed: 2 })
  const wrong = [
    { assistantModel: model, doSample: true },
    { assistantModel: model, useCache: false },
    { assistantModel: model, promptLookupNumTokens: 2 },
    { assistantModel: new FakeModel({ seed: 2, vocabSize: 12 }) },
  ]
  for (const options of wrong) await expect(generate(model, batchOf(sources), options)).rejects.toThrow(ConfigError)
})
