import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  applyProcessors,
  buildProcessors,
  DataError,
  device,
  type GenerationConfig,
  GenerationDefaults,
  LogitsContext,
  noGrad,
  type ProcessorSettings,
  scope,
  Tensor,
} from '../../lib/index.ts'

const start = [0.5, -1, 2, 0.25, -0.125, 1]
const banned = -Infinity

let tensors: number
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

/** Scores of rows that all start as `start`, after the processors of a configuration. */
async function processed(
  options: Partial<GenerationConfig>,
  rows: readonly number[][],
  more: Partial<ProcessorSettings> & { sentences?: number[]; beams?: number; scores?: number[][] } = {},
): Promise<number[][]> {
  const config = GenerationDefaults.fromJson({ eos_token_id: 1 }).resolve(options)
  const settings = { config, promptLength: 1, maxLength: 6, encoderIds: rows.map(() => Int32Array.of(2, 3)), ...more }
  using scores = noGrad(() =>
    scope(() => {
      const sequences = rows.map((ids) => Int32Array.from(ids))
      const context = new LogitsContext(
        sequences,
        more.sentences ?? [...rows.keys()],
        more.beams ?? 1,
        settings.promptLength,
      )
      return applyProcessors(buildProcessors(settings), Tensor.from(more.scores ?? rows.map(() => start)), context)
    }),
  )
  const data = await scores.data()
  return rows.map((_, i) => Array.from(data.slice(i * start.length, (i + 1) * start.length)))
}

const changed = (changes: Record<number, number>, row = start) => row.map((x, id) => changes[id] ?? x)

describe('rows of different lengths are treated each by its own', () => {
  test('minimum lengths', async () => {
    const rows = [[0], [0, 2], [0, 2, 3]]
    expect(await processed({ minLength: 2 }, rows)).toEqual([changed({ 1: banned }), start, start])
    // Beats minLength, and does not count the prompt.
    expect(await processed({ minNewTokens: 2, minLength: 9 }, rows)).toEqual([
      changed({ 1: banned }),
      changed({ 1: banned }),
      start,
    ])
  })

  test('forced tokens', async () => {
    const forced = (id: number) => start.map((_, i) => (i === id ? 0 : banned))
    expect(await processed({ forcedBosTokenId: 4 }, [[0], [0, 2]])).toEqual([forced(4), start])
    expect(
      await processed({ forcedEosTokenId: [1] }, [
        [0, 2, 3, 2],
        [0, 2, 3, 2, 4],
      ]),
    ).toEqual([start, forced(1)])
  })

  test('tokens suppressed at the beginning, which a forced first token puts off', async () => {
    const suppressed = changed({ 2: banned, 3: banned })
    const rows = [[0], [0, 5], [0, 5, 5]]
    expect(await processed({ beginSuppressTokens: [2, 3] }, rows)).toEqual([suppressed, start, start])
    const [, second, third] = await processed({ beginSuppressTokens: [2, 3], forcedBosTokenId: 4 }, rows)
    expect([second, third]).toEqual([suppressed, start])
  })

  test('end tokens raised with the length', async () => {
    const rows = [
      [0, 2],
      [0, 2, 3],
      [0, 2, 3, 4],
    ]
    const decay = { exponentialDecayLengthPenalty: [1, 1.5] as const, eosTokenId: [1, 2] }
    const raised = (factor: number) => changed({ 1: -1 + (factor - 1), 2: 2 + 2 * (factor - 1) })
    expect(await processed(decay, rows)).toEqual([start, raised(1.5), raised(1.5 ** 2)])
    // What is too short to end stays so.
    expect((await processed({ ...decay, minLength: 9 }, rows))[2]?.slice(1, 3)).toEqual([banned, banned])
  })
})

describe('sequences of tokens', () => {
  const rows = [[0], [0, 2], [0, 3, 2], [0, 2, 3]]

  test('with a bias on the last where the others precede', async () => {
    const sequenceBias = [
      [[4], 0.5],
      [[2, 5], -2],
      [[3, 2, 5], 1],
      [[2, 3, 4], 0.25],
      [[2, 3, 4], 1],
    ] as const
    expect(await processed({ sequenceBias }, rows)).toEqual([
      changed({ 4: 0.375 }),
      changed({ 4: 0.375, 5: -1 }),
      changed({ 4: 0.375, 5: 0 }),
      changed({ 4: 1.375 }),
    ])
  })

  test('that are bad words, of which end tokens are none', async () => {
    expect(await processed({ badWordsIds: [[1], [4], [2, 5]] }, rows)).toEqual([
      changed({ 4: banned }),
      changed({ 4: banned, 5: banned }),
      changed({ 4: banned, 5: banned }),
      changed({ 4: banned }),
    ])
  })
})

describe('prefixAllowedTokensFn', () => {
  test('is asked with sentence and ids, and leaves what it allows', async () => {
    const asked: [number, number[]][] = []
    const prefixAllowedTokensFn = (sentence: number, ids: Int32Array) => {
      asked.push([sentence, [...ids]])
      return sentence === 0 ? [2] : Int32Array.of(1, 3)
    }
    const only = (...ids: number[]) => start.map((x, id) => (ids.includes(id) ? x : banned))
    expect(await processed({}, [[0], [0, 4]], { prefixAllowedTokensFn })).toEqual([only(2), only(1, 3)])
    expect(asked).toEqual([
      [0, [0]],
      [1, [0, 4]],
    ])
  })

  test('wins over bans that leave all beams of a sentence nothing', async () => {
    const scores = [start, changed({ 3: banned }), changed({ 3: banned }), changed({ 3: banned })]
    const more = { sentences: [0, 0, 1, 1], beams: 2, scores, prefixAllowedTokensFn: () => [3] }
    const got = await processed({}, [[0], [0], [0], [0]], more)
    expect(got.map((row) => row[3])).toEqual([0.25, banned, 0, 0])
  })

  test('must allow something', async () => {
    await expect(processed({}, [[0]], { prefixAllowedTokensFn: () => [] })).rejects.toThrow(DataError)
  })
})

test('processors run in the order of Hugging Face', async () => {
  // The bias first: it makes the score negative, which the penalty then doubles instead of halving.
  const logitsProcessors = [(scores: Tensor) => scores]
  const [row] = await processed({ repetitionPenalty: 2, sequenceBias: [[[2], -4]] }, [[0, 2]], { logitsProcessors })
  expect(row).toEqual(changed({ 0: 0.25, 2: -4 }))
  expect(
    buildProcessors({
      config: GenerationDefaults.fromJson().resolve({ doSample: true, suppressTokens: [1], renormalizeLogits: true }),
      promptLength: 1,
      maxLength: 9,
      encoderIds: [],
      logitsProcessors,
    }).indexOf(logitsProcessors[0]!),
  ).toBe(1)
})
