import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  DataError,
  type DecoderState,
  device,
  type GenerationConfig,
  IndexError,
  noGrad,
  ShapeError,
  scope,
  T5ForConditionalGeneration,
} from '../../lib/index.ts'

const folder = fileURLToPath(new URL('../golden/generation/gated_untied', import.meta.url))
interface Run {
  readonly name: string
  readonly generate: Record<string, number>
  readonly input_ids: number[][]
  readonly attention_mask: number[][]
  readonly sequences: number[][]
}
const { runs } = JSON.parse(readFileSync(`${folder}/case.json`, 'utf8')) as { runs: Run[] }
const padded = runs.find(({ name }) => name === 'greedy_batch_left_padded') as Run
const inputs = { inputIds: padded.input_ids, attentionMask: padded.attention_mask }
const list = (sequences: readonly Int32Array[]) => sequences.map((ids) => [...ids])

let model: T5ForConditionalGeneration
beforeAll(async () => {
  model = await T5ForConditionalGeneration.fromPretrained(folder)
})
afterAll(() => model.dispose())

// Weights are packed when products first have rows enough, and stay so.
beforeAll(async () => {
  await model.generate(inputs, { maxNewTokens: 2, numBeams: 4 })
})

let tensors: number
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

test('reads generation_config.json', () => {
  expect(model.generationConfig.values).toMatchObject({ eosTokenId: 1, padTokenId: 0, decoderStartTokenId: 0 })
})

test('a batch of padded sources gives what each gives alone', async () => {
  for (const options of [{ maxNewTokens: 20 }, { maxNewTokens: 12, numBeams: 3 }]) {
    const together = await model.generate(inputs, options)
    for (const [i, ids] of padded.input_ids.entries()) {
      const alone = ids.filter((_, t) => padded.attention_mask[i]?.[t] === 1)
      const [sequence] = (await model.generate({ inputIds: [alone] }, options)).sequences as [Int32Array]
      expect([...(together.sequences[i] as Int32Array).subarray(0, sequence.length)]).toEqual([...sequence])
    }
  }
})

test('steps with the cache are the whole decoder, at every position', async () => {
  const { sequences, logits } = await model.generate(inputs, {
    maxNewTokens: 8,
    suppressTokens: [1],
    outputLogits: true,
  })
  const decoderInputIds = list(sequences).map((ids) => ids.slice(0, -1))
  const output = noGrad(() => model.forward({ ...inputs, decoderInputIds }))
  const whole = await (output.logits as NonNullable<typeof output.logits>).data()
  output.logits?.dispose()
  const v = model.vocabSize
  let largest = 0
  let worst = 0
  logits?.forEach((step, t) => {
    step.forEach((row, b) => {
      row?.forEach((logit, id) => {
        const want = whole[(b * 8 + t) * v + id] as number
        largest = Math.max(largest, Math.abs(want))
        worst = Math.max(worst, Math.abs(logit - want))
      })
    })
  })
  // The same arithmetic in other blocks: rounding of sums over a few dozen terms, twice for each of the layers.
  expect(worst).toBeLessThanOrEqual(64 * 2 ** -23 * largest)
})

describe('speculation gives the ids of greedy search', () => {
  // Every recorded run keeps the best token 9e-4 or more above the next.
  const greedy = runs.filter(({ name }) => name.startsWith('greedy') && name !== 'greedy_no_cache')
  test.each(greedy.map((run) => [run.name, run] as const))('%s', async (_, run) => {
    const options = Object.fromEntries(
      Object.entries(run.generate).map(([key, value]) => [
        key.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase()),
        value,
      ]),
    )
    const source = { inputIds: run.input_ids, attentionMask: run.attention_mask }
    for (const draft of [{ promptLookupNumTokens: 4 }, { assistantModel: model, numAssistantTokens: 3 }]) {
      expect(list((await model.generate(source, { ...options, ...draft })).sequences)).toEqual(run.sequences)
    }
  })
})

test('an abandoned stream and an aborted call give all memory back', async () => {
  for await (const _ of model.generateStream(inputs)) break
  const signal = AbortSignal.timeout(1)
  await expect(model.generate(inputs, { maxNewTokens: 4000, suppressTokens: [1], signal })).rejects.toThrow()
})

describe('prompts of the decoder of different lengths, padded on the left', () => {
  const prompts = [
    [0, 7, 9, 4],
    [0, 5],
  ]
  // What stands in the padding does not matter.
  const decoderInputIds = [
    [0, 7, 9, 4],
    [11, 3, 0, 5],
  ]
  const decoderAttentionMask = [
    [1, 1, 1, 1],
    [0, 0, 1, 1],
  ]
  const sources = [padded.input_ids[0]!, padded.input_ids[1]!]
  const masks = [padded.attention_mask[0]!, padded.attention_mask[1]!]
  const several = { inputIds: sources, attentionMask: masks, decoderInputIds }

  test('finds with beams queued ahead what it finds without', async () => {
    for (const more of [{}, { numBeams: 5, lengthPenalty: 0, earlyStopping: true }, { beamRules: 't5' as const }]) {
      const options = { maxNewTokens: 14, numBeams: 3, numReturnSequences: 3, ...more }
      for (const given of [inputs, { ...several, decoderAttentionMask }]) {
        const found = await model.generate(given, options)
        // Only this thread can tell whether such a search goes on.
        const want = await model.generate(given, { ...options, stoppingCriterion: () => false })
        expect(list(found.sequences)).toEqual(list(want.sequences))
        expect(found.beamIndices).toEqual(want.beamIndices)
        // Products round otherwise where a sentence that is done still has its rows.
        found.sequencesScores?.forEach((score, i) => {
          expect(score).toBeCloseTo(want.sequencesScores?.[i] as number, 5)
        })
      }
    }
  })

  const ways: [name: string, options: Partial<GenerationConfig> & { assistant?: boolean }][] = [
    ['greedily', {}],
    ['without the cache', { useCache: false }],
    ['with beams', { numBeams: 3, numReturnSequences: 2 }],
    ['with guesses from the source', { promptLookupNumTokens: 3 }],
    ['with guesses of a model', { assistant: true, numAssistantTokens: 3 }],
  ]
  test.each(ways)('go on as each does alone: %s', async (_, { assistant = false, ...more }) => {
    const options = { maxNewTokens: 10, ...more, ...(assistant && { assistantModel: model }) }
    const { sequences } = await model.generate({ ...several, decoderAttentionMask }, options)
    const each = sequences.length / 2
    for (const [i, prompt] of prompts.entries()) {
      const inputIds = [sources[i] as number[]]
      const attentionMask = [masks[i] as number[]]
      const alone = await model.generate({ inputIds, attentionMask, decoderInputIds: [prompt] }, options)
      for (let n = 0; n < each; n++) {
        const want = [...(alone.sequences[n] as Int32Array)].slice(prompt.length)
        const got = [...(sequences[i * each + n] as Int32Array)]
        expect(got.slice(0, 4)).toEqual(decoderInputIds[i])
        expect(got.slice(4, 4 + want.length)).toEqual(want)
      }
    }
    const unmasked = await model.generate(several, options)
    expect(list(unmasked.sequences.slice(each))).not.toEqual(list(sequences.slice(each)))
  })

  test('refuse padding elsewhere', async () => {
    const refused = (mask: number[][]) => expect(model.generate({ ...several, decoderAttentionMask: mask })).rejects
    for (const row of [
      [1, 1, 1, 0],
      [1, 0, 1, 1],
      [0, 0, 0, 0],
    ]) {
      await refused([[1, 1, 1, 1], row]).toThrow(DataError)
      await refused([[1, 1, 1, 1], row]).toThrow(`padding on the left alone, got ${row.join(' ')} in row 1`)
    }
    await refused([[1, 1]]).toThrow(ShapeError)
    const { decoderInputIds: _, ...without } = several
    await expect(model.generate({ ...without, decoderAttentionMask })).rejects.toThrow(/decoderInputIds with/)
  })
})

test('rows keep their keys, whichever slots become free beside them', async () => {
  const sources = { inputIds: Int32Array.of(5, 6, 7), attentionMask: new Uint8Array(3).fill(1), batch: 3, length: 1 }
  const queue = <T>(fn: () => T) => noGrad(() => scope(fn))
  const start = () => queue(() => ({ state: model.startDecoding(sources, { rows: 9, length: 16 }) })).state
  using state = { ...withRows(start()), [Symbol.dispose]: () => state.decoder.dispose() }
  const select = (rows: readonly number[]) => {
    queue(() => state.decoder.select(rows))
    state.rows = rows.map((row) => ({ ...(state.rows[row] as FedRow) }))
  }
  const feed = (lists: readonly (readonly number[])[]) => {
    state.rows = state.rows.map(({ sentence, ids }, i) => ({ sentence, ids: [...ids, ...(lists[i] as number[])] }))
    return queue(() => state.decoder.step(lists, 'last'))
  }
  select([0, 0, 0, 1, 1, 1, 2, 2, 2])
  feed([[3], [4], [5], [6], [7], [8], [9, 10, 11], [12, 13, 14], [15, 16, 17]]).dispose()
  // The first sentence is done, and the others come to lie in what was its slots.
  select([3, 3, 4, 6, 6, 7])
  feed([[18], [19], [20], [21], [22], [23]]).dispose()
  select([0, 1, 2, 4, 4, 3])
  feed([[24], [25], [26], [27], [28], [29]]).dispose()
  // The long sentence leaves a slot that it still reads, when the short one looks for another.
  select([0, 0, 1, 4, 4, 5])
  const logits = feed([[30], [31], [32], [33], [34], [35]])
  const fresh = start()
  const wanted = queue(() => {
    fresh.select(state.rows.map(({ sentence }) => sentence))
    return fresh.step(
      state.rows.map(({ ids }) => ids),
      'last',
    )
  })
  const [got, want] = [await logits.data(), await wanted.data()]
  for (const tensor of [logits, wanted, fresh]) tensor.dispose()
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(want[i] as number, 4)
  })
})

interface FedRow {
  readonly sentence: number
  readonly ids: readonly number[]
}

function withRows(decoder: DecoderState): { decoder: DecoderState; rows: FedRow[] } {
  return { decoder, rows: [0, 1, 2].map((sentence) => ({ sentence, ids: [] })) }
}

test('refuses wrong inputs, before anything runs', async () => {
  await expect(model.generate({ inputIds: [[3, 67]] })).rejects.toThrow(IndexError)
  await expect(model.generate({ inputIds: [[3, 4], [5]] })).rejects.toThrow(ShapeError)
  await expect(model.generate({ ...inputs, attentionMask: [[1]] })).rejects.toThrow(ShapeError)
  await expect(model.generate({ ...inputs, decoderInputIds: [[0]] })).rejects.toThrow(ShapeError)
})
