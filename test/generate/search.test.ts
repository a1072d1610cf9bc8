import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ConfigError,
  DataError,
  device,
  generate,
  generateStream,
  IndexError,
  ShapeError,
  textStream,
} from '../../lib/index.ts'
import { batchOf, FakeModel } from './fake-model.ts'
import { greedy, logSoftmax } from './reference.ts'

const sources = [[2, 5, 7], [3], [4, 4, 9, 8, 2, 6], [10, 6]]
const list = (sequences: readonly Int32Array[]) => sequences.map((ids) => [...ids])
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

describe('greedy search', () => {
  test.each([1, 2, 3, 4, 5, 6])('finds what the reference finds, model %i', async (seed) => {
    const model = new FakeModel({ seed, endBias: 1 })
    const { sequences, sequencesScores, seed: drawn } = await generate(model, batchOf(sources), { maxNewTokens: 15 })
    expect(list(sequences).map(trimmed)).toEqual(sources.map((source) => greedy(model, source, 15)))
    expect(new Set(sequences.map(({ length }) => length)).size).toBe(1)
    expect([sequencesScores, drawn]).toEqual([null, null])
  })

  test('rows that end leave the decoder, and are filled with the padding id', async () => {
    const model = new FakeModel({ seed: 3, endBias: 1 })
    const want = sources.map((source) => greedy(model, source, 15))
    const { sequences } = await generate(model, batchOf(sources), { maxNewTokens: 15 })
    const lengths = want.map((ids) => ids.length - 1)
    expect(new Set(lengths).size).toBeGreaterThan(1)
    // A row that ends may be in the step that was queued by then.
    const fed = model.steps.reduce((a, b) => a + b)
    const needed = lengths.reduce((a, b) => a + b)
    expect(fed).toBeGreaterThanOrEqual(needed)
    expect(fed).toBeLessThanOrEqual(needed + lengths.length)
    sequences.forEach((ids, i) => {
      expect([...ids.slice(want[i]!.length)]).toEqual(new Array(ids.length - want[i]!.length).fill(0))
    })
  })

  test('computes everything anew without the cache, with the same result', async () => {
    const model = new FakeModel({ seed: 4, endBias: 1 })
    const cached = await generate(model, batchOf(sources), {})
    expect(list((await generate(model, batchOf(sources), { useCache: false })).sequences)).toEqual(
      list(cached.sequences),
    )
  })

  test('goes on from a prompt', async () => {
    const model = new FakeModel({ seed: 5 })
    const { sequences } = await generate(model, batchOf([[2, 5]]), { maxNewTokens: 6, suppressTokens: [1] })
    const prompts = [sequences[0]!.slice(0, 4)]
    const more = await generate(model, { ...batchOf([[2, 5]]), prompts }, { maxNewTokens: 3, suppressTokens: [1] })
    expect(list(more.sequences)).toEqual(list(sequences))
  })

  test('gives scores and logits of every step', async () => {
    const model = new FakeModel({ seed: 3, endBias: 1 })
    const options = { maxNewTokens: 15, outputScores: true, outputLogits: true, suppressTokens: [4] }
    const { sequences, scores, logits } = await generate(model, batchOf(sources), options)
    expect(scores).toHaveLength(sequences[0]!.length - 1)
    sources.forEach((source, row) => {
      const ids = trimmed(sequences[row]!)
      for (let t = 0; t < scores!.length; t++) {
        if (t + 1 >= ids.length) {
          expect([scores![t]![row], logits![t]![row]]).toEqual([null, null])
          continue
        }
        const want = model.logitsOf(source, ids.slice(0, t + 1))
        expect(logits![t]![row]).toEqual(want)
        want[4] = -Infinity
        expect(scores![t]![row]).toEqual(want)
      }
    })
  })
})

describe('sampling', () => {
  const model = new FakeModel({ seed: 8 })
  const sample = { doSample: true, topK: 0, maxNewTokens: 10, seed: 7 }

  test('gives the same for the same seed, and tells the seed it took', async () => {
    const first = await generate(model, batchOf(sources), { ...sample, seed: null })
    const again = await generate(model, batchOf(sources), { ...sample, seed: first.seed })
    expect(list(again.sequences)).toEqual(list(first.sequences))
    const other = await generate(model, batchOf(sources), { ...sample, seed: 99 })
    expect(list(other.sequences)).not.toEqual(list(first.sequences))
  })

  test('of a row does not depend on which others have ended', async () => {
    const options = { ...sample, maxNewTokens: 12 }
    const whole = await generate(model, batchOf(sources), options)
    const longer = await generate(model, batchOf(sources), { ...options, suppressTokens: [1] })
    whole.sequences.forEach((ids, row) => {
      if (!trimmed(ids).includes(1)) expect([...longer.sequences[row]!.slice(0, ids.length)]).toEqual([...ids])
    })
    expect(new Set(whole.sequences.map((ids) => trimmed(ids).length)).size).toBeGreaterThan(1)
  })

  test('draws tokens in proportion to their probabilities', async () => {
    const count = 2000
    const { sequences } = await generate(model, batchOf([[2, 5]]), {
      ...sample,
      maxNewTokens: 1,
      numReturnSequences: count,
      temperature: 1.5,
    })
    expect(sequences).toHaveLength(count)
    const p = logSoftmax(model.logitsOf([2, 5], [0]).map((x) => x / 1.5)).map(Math.exp)
    p.forEach((probability, id) => {
      const drawn = sequences.filter((ids) => ids[1] === id).length
      // Five standard deviations of a binomial count.
      const tolerance = 5 * Math.sqrt(count * probability * (1 - probability))
      expect(Math.abs(drawn - count * probability)).toBeLessThanOrEqual(tolerance)
    })
  })

  test('of one token is greedy search', async () => {
    const drawn = await generate(model, batchOf(sources), { ...sample, topK: 1 })
    expect(list(drawn.sequences)).toEqual(
      list((await generate(model, batchOf(sources), { maxNewTokens: 10 })).sequences),
    )
  })
})

describe('a stream', () => {
  const model = new FakeModel({ seed: 3, endBias: 1 })

  test('gives the tokens of every row, and ends with the output', async () => {
    const steps = generateStream(model, batchOf(sources), { maxNewTokens: 15 })
    const found: number[][] = sources.map(() => [0])
    for (;;) {
      const { done, value } = await steps.next()
      if (done) {
        expect(list(value.sequences).map(trimmed)).toEqual(found)
        break
      }
      value.rows.forEach((row, i) => {
        found[row]!.push(value.tokens[i]!)
      })
    }
  })

  test('gives all memory back when its consumer stops', async () => {
    let steps = 0
    for await (const _ of generateStream(model, batchOf(sources), { maxNewTokens: 15 })) if (++steps === 2) break
    expect(steps).toBe(2)
  })

  test('of text comes in whole words', async () => {
    const words = ['', '', 'ab', ' c', 'd', ' ', 'e\n', 'f', 'g', 'h', '字']
    const tokenizer = { decode: (ids: ArrayLike<number>) => Array.from(ids, (id) => words[id]).join('') }
    async function* steps() {
      for (const id of [2, 4, 3, 6, 7, 10, 8, 1]) yield { rows: Int32Array.of(1, 0), tokens: Int32Array.of(9, id) }
    }
    const pieces: string[] = []
    for await (const piece of textStream(steps(), tokenizer)) pieces.push(piece)
    expect(pieces).toEqual(['abd ', 'ce\n', 'f字', 'g'])
  })
})

describe('an end', () => {
  const model = new FakeModel({ seed: 5 })
  const free = { maxNewTokens: 12, suppressTokens: [1] }

  test('by abort rejects with the reason, at a step, and leaves nothing behind', async () => {
    for (const numBeams of [1, 3]) {
      const controller = new AbortController()
      const stoppingCriterion = (ids: Int32Array) => {
        if (ids.length === 4) controller.abort(new Error('enough'))
        return false
      }
      model.steps.length = 0
      const options = { ...free, numBeams, stoppingCriterion, signal: controller.signal }
      await expect(generate(model, batchOf(sources), options)).rejects.toThrow('enough')
      // Greedy search queues a step before it has read the one before.
      const queued = numBeams === 1 ? 4 : 3
      expect(model.steps).toHaveLength(queued)
      await expect(generate(model, batchOf(sources), options)).rejects.toThrow('enough')
      expect(model.steps).toHaveLength(queued)
    }
  })

  test('by a stop string, whose last token may hang over', async () => {
    const tokenizer = { decode: (ids: ArrayLike<number>) => Array.from(ids, (id) => `<${id}>`).join('') }
    const { sequences } = await generate(model, batchOf(sources), free)
    const [ids] = sequences as [Int32Array]
    const stopStrings = [`${ids[3]}><${ids[4]}`]
    const stopped = await generate(model, batchOf([sources[0]!]), { ...free, stopStrings, tokenizer })
    const first = [...ids.keys()].findIndex((t) => t > 0 && ids[t - 1] === ids[3] && ids[t] === ids[4])
    expect([...stopped.sequences[0]!]).toEqual([...ids.slice(0, first + 1)])
  })

  test("by the caller's criterion, the time, or the length", async () => {
    const three = await generate(model, batchOf(sources), { ...free, stoppingCriterion: (ids) => ids.length === 3 })
    expect(three.sequences.map(({ length }) => length)).toEqual([3, 3, 3, 3])
    const late = await generate(model, batchOf(sources), { ...free, maxTime: 1e-6 })
    expect(late.sequences[0]).toHaveLength(2)
    expect((await generate(model, batchOf(sources), { maxLength: 4, suppressTokens: [1] })).sequences[0]).toHaveLength(
      4,
    )
    expect((await generate(model, batchOf(sources), { suppressTokens: [1] })).sequences[0]).toHaveLength(21)
  })
})

describe('refuses', () => {
  const model = new FakeModel({ seed: 5 })
  const inputs = batchOf(sources)
  const cases: [what: string, options: object, error: new (message: string) => Error, message: RegExp][] = [
    ['unknown options', { maxTokens: 3 }, ConfigError, /expected a known option, got "maxTokens"/],
    ...['guidanceScale', 'numBeamGroups', 'constraints', 'watermarkingConfig'].map((key): (typeof cases)[number] => {
      return [
        `${key}, which is not offered`,
        { [key]: 2 },
        ConfigError,
        new RegExp(`no ${key}, which is not supported`),
      ]
    }),
    [
      'values out of range',
      { temperature: 0 },
      ConfigError,
      /expected temperature to be a number above 0, got number 0/,
    ],
    ['several greedy sequences', { numReturnSequences: 2 }, ConfigError, /expected doSample or numBeams/],
    ['more sequences than beams', { numBeams: 2, numReturnSequences: 3 }, ConfigError, /at most numBeams, 2, got 3/],
    ['stop strings without a tokenizer', { stopStrings: 'a' }, ConfigError, /expected a tokenizer for stopStrings/],
    ['a token beyond the vocabulary', { suppressTokens: [11] }, IndexError, /expected suppressTokens below 11, got 11/],
    ['a maximum that the prompt reaches', { maxLength: 1 }, ConfigError, /expected maxLength above .* 1, got 1/],
    ['start tokens for other sentences', { decoderStartTokenId: [0, 0] }, ShapeError, /for 4 sentences, got 2/],
    [
      'forcing what is suppressed',
      { forcedEosTokenId: 1, suppressTokens: [1] },
      ConfigError,
      /forcedEosTokenId that is not/,
    ],
    ['prompt lookup for beams', { promptLookupNumTokens: 3, numBeams: 2 }, ConfigError, /expected a greedy search/],
  ]
  test.each(cases)('%s', async (_, options, error, message) => {
    const result = expect(generate(model, inputs, options))
    await result.rejects.toThrow(error)
    await expect(generate(model, inputs, options)).rejects.toThrow(message)
    expect(() => generateStream(model, inputs, options)).toThrow(error)
  })

  test('beams in a stream', () => {
    expect(() => generateStream(model, inputs, { numBeams: 2 })).toThrow(ConfigError)
  })

  test('NaN logits, unless they are replaced', async () => {
    const spoilt = new FakeModel({ seed: 5 })
    spoilt.spoil = (logits) => logits.fill(Number.NaN, 0, 3)
    for (const options of [{}, { numBeams: 2 }, { doSample: true, outputScores: true, outputLogits: true }]) {
      await expect(generate(spoilt, inputs, options)).rejects.toThrow(DataError)
      await device().synchronize()
    }
    await generate(spoilt, inputs, { removeInvalidValues: true })
  })
})
