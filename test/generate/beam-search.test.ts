import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { device, generate } from '../../lib/index.ts'
import { batchOf, FakeModel } from './fake-model.ts'
import { beamSearch, logSoftmax, t5BeamSearch } from './reference.ts'

const sources = [[2, 5, 7], [3], [4, 4, 9, 8, 2, 6]]
const trimmed = (ids: ArrayLike<number>) => {
  const all = Array.from(ids)
  const end = all.indexOf(1, 1)
  return end < 0 ? all : all.slice(0, end + 1)
}

let tensors: number
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

// Only this thread can tell whether such a search goes on.
const waits = { stoppingCriterion: () => false }

const settings = [true, false, 'never' as const].flatMap((earlyStopping) =>
  [-1, 0, 0.6, 1, 2].map((lengthPenalty) => ({ earlyStopping, lengthPenalty })),
)

describe('beam search', () => {
  test.each(settings)('finds what the reference finds: %o', async (setting) => {
    for (const [seed, numBeams] of [
      [1, 2],
      [2, 4],
      [3, 3],
      [4, 5],
    ] as const) {
      const model = new FakeModel({ seed, endBias: 1.5 })
      const options = { ...setting, numBeams, maxNewTokens: 9 }
      const found = await generate(model, batchOf(sources), { ...options, numReturnSequences: numBeams })
      const want = sources.flatMap((source) => beamSearch(model, source, options))
      expect(found.sequences.map(trimmed)).toEqual(want.map(({ ids }) => ids))
      want.forEach(({ score }, i) => {
        // Sums of float32 log-probabilities, a step each.
        expect(Math.abs(found.sequencesScores![i]! - score)).toBeLessThanOrEqual(
          9 * 4 * 2 ** -23 * Math.abs(score) + 1e-5,
        )
      })
    }
  })

  test.each([0, 0.6, 1.2])("by T5's own rules finds what the reference finds, alpha %d", async (lengthPenalty) => {
    for (const seed of [1, 2, 3, 4]) {
      const model = new FakeModel({ seed, endBias: 1.5 })
      const options = { numBeams: 4, lengthPenalty, maxNewTokens: 9, earlyStopping: false }
      const found = await generate(model, batchOf(sources), { ...options, beamRules: 't5' })
      sources.forEach((source, i) => {
        const want = t5BeamSearch(model, source, options)
        if (want) expect(trimmed(found.sequences[i]!)).toEqual(want.ids)
        else expect(found.sequences[i]).not.toContain(1)
      })
    }
  })

  test('scores add up along the beam indices', async () => {
    const model = new FakeModel({ seed: 2, endBias: 1.5 })
    const options = { numBeams: 4, numReturnSequences: 4, maxNewTokens: 9, outputScores: true, outputLogits: true }
    const { sequences, sequencesScores, beamIndices, scores, logits } = await generate(model, batchOf(sources), options)
    sequences.forEach((ids, i) => {
      const indices = beamIndices![i]!
      let sum = 0
      indices.forEach((row, t) => {
        sum += scores![t]![row]![ids[t + 1]!]!
        const own = logSoftmax(logits![t]![row]!)
        expect(own[ids[t + 1]!]).toBeCloseTo(scores![t]![row]![ids[t + 1]!]!, 5)
      })
      expect(sum / indices.length).toBeCloseTo(sequencesScores![i]!, 5)
    })
  })

  test.each([
    {},
    { beamRules: 't5' as const },
    { minNewTokens: 5, eosTokenId: [1, 4], lengthPenalty: -1 },
    { earlyStopping: true, suppressTokens: [3, 6] },
  ])('finds with steps queued ahead what it finds without: %o', async (more) => {
    let extra = 0
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const model = new FakeModel({ seed, endBias: 1 })
      const run = async (options: object) => {
        model.steps.length = 0
        const base = { numBeams: 4, numReturnSequences: 4, maxNewTokens: 14, ...more }
        const found = await generate(model, batchOf(sources), { ...base, ...options })
        return { ...found, fed: model.steps.reduce((a, b) => a + b) }
      }
      const [{ fed: ahead, ...found }, { fed: waiting, ...want }] = [await run({}), await run(waits)]
      expect(found).toEqual(want)
      extra += ahead - waiting
    }
    // Sentences that turned out to be done were fed once more.
    expect(extra).toBeGreaterThan(0)
  })

  test('samples beams, the same for the same seed', async () => {
    const model = new FakeModel({ seed: 2, endBias: 1 })
    const run = async (seed: number) =>
      (await generate(model, batchOf(sources), { numBeams: 3, doSample: true, seed, temperature: 2 })).sequences.map(
        (ids) => [...ids],
      )
    expect(await run(1)).toEqual(await run(1))
    expect(await run(1)).not.toEqual(await run(2))
  })

  test('computes everything anew without the cache, with the same result', async () => {
    const model = new FakeModel({ seed: 3, endBias: 1 })
    const cached = await generate(model, batchOf(sources), { numBeams: 3 })
    const anew = await generate(model, batchOf(sources), { numBeams: 3, useCache: false })
    expect(anew.sequences).toEqual(cached.sequences)
  })
})
