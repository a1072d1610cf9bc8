// Choosing tokens on a device, beside the CPU: identical ids from identical logits, over vocabularies that take every step
// of the selection; and what is refused. Rules that go by mass take exp and log in float64, which may differ in the last bit
// between the two: only where a mass lies within rounding of its bound could that show.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DataError, device, IndexError, ops, runtimeInfo, setDefaultDevice, Tensor } from '../../lib/index.ts'
import { randomOf } from '../harness.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: choosing tokens on a GPU (${problem})`)

type Kind = 'spread' | 'tied' | 'masked' | 'equal'
const kinds: readonly Kind[] = ['spread', 'tied', 'masked', 'equal']

/** Logits of either device: all apart, a few values only, nearly all at -inf, all the same. */
function logitsOf(rows: number, v: number, kind: Kind): Tensor {
  const random = randomOf(rows * 7919 + v)
  const draw: Record<Kind, () => number> = {
    spread: () => random.normal() * 3,
    tied: () => random.integer(9) / 2 - 2,
    masked: () => (random.integer(40) === 0 ? random.normal() : -Infinity),
    equal: () => 1.5,
  }
  // The first is finite, so that a row is never empty.
  return Tensor.from(
    Float32Array.from({ length: rows * v }, (_, i) => (i % v === 0 ? 0.25 : draw[kind]())),
    { shape: [rows, v] },
  )
}

/** Runs on both devices, and expects the same numbers. */
async function expectEqual(run: (on: (tensor: Tensor) => Tensor) => readonly Tensor[]): Promise<void> {
  const read = (tensors: readonly Tensor[]) => Promise.all(tensors.map((tensor) => tensor.data()))
  const expected = await read(run((tensor) => tensor))
  const got = run((tensor) => tensor.to('cuda'))
  expect(got.map((tensor) => tensor.device)).toEqual(got.map(() => 'cuda:0'))
  expect(await read(got)).toEqual(expected)
}

const draw = { seed: 11, site: 2, step: 5 }

describe.skipIf(devices.length === 0)('on a GPU', () => {
  describe.each(kinds)('%s logits', (kind) => {
    // Less than the sorted buffer, a little more, and many times as much.
    const shapes = [
      [3, 700],
      [2, 1025],
      [2, 20011],
    ] as const
    test.each(shapes)('(%d, %d): argmax and topK', async (rows, v) => {
      const logits = logitsOf(rows, v, kind)
      for (const k of [1, 50, Math.min(v, 2500)]) {
        await expectEqual((on) => {
          const { values, ids } = ops.topK(on(logits), k)
          return [values, ids]
        })
      }
      await expectEqual((on) => [ops.argmax(on(logits))])
    })

    test('draws', async () => {
      const logits = logitsOf(96, 1300, kind)
      const streams = Tensor.from(Int32Array.from({ length: 96 }, (_, i) => 3 * i + 1))
      await expectEqual((on) => [ops.sampleCategorical(on(logits), draw)])
      await expectEqual((on) => [ops.sampleCategorical(on(logits), { ...draw, streams: on(streams) })])
      await expectEqual((on) => [ops.sampleCategorical(on(logitsOf(4, 20011, kind)), draw)])
    })

    test('candidates of beams', async () => {
      const logits = logitsOf(6, 5003, kind)
      const beamScores = Tensor.from([0, -1.25, -1e9, -0.5, -0.5, 0], { shape: [2, 3] })
      const all = ({ scores, parents, tokens }: ReturnType<typeof ops.beamCandidates>) => [scores, parents, tokens]
      for (const k of [6, 1500]) {
        await expectEqual((on) => all(ops.beamCandidates(on(logits), on(beamScores), k)))
        await expectEqual((on) => all(ops.sampleCandidates(on(logits), on(beamScores), k, draw)))
      }
    })

    test.each<[ops.WarpRule, number, number]>([
      ['temperature', 0.7, 1],
      ['topK', 50, 1],
      ['topK', 1800, 1],
      ['topP', 0.9, 1],
      ['topP', 0.1, 1500],
      ['minP', 0.05, 1],
      ['typical', 0.9, 1],
      ['typical', 0.2, 1200],
      ['epsilon', 3e-4, 3],
      ['eta', 1e-3, 1],
      ['topH', 0.4, 1],
    ])('%s %d, at least %d', async (rule, value, minTokensToKeep) => {
      const logits = logitsOf(3, 5003, kind)
      await expectEqual((on) => [ops.warpLogits(on(logits), rule, value, { minTokensToKeep })])
    })
  })

  // A block goes over more than one row only where the grid is at its largest.
  test('more rows than blocks', async () => {
    const logits = logitsOf(65_540, 3, 'spread')
    await expectEqual((on) => [ops.sampleCategorical(on(logits), draw), ops.warpLogits(on(logits), 'topP', 0.6)])
  })

  test('lists that name a score twice', async () => {
    const ints = (...values: number[]) => Tensor.from(Int32Array.from(values))
    const [logits, rows, tokens] = [logitsOf(3, 9, 'spread'), ints(0, 2, 0, 0, 2), ints(4, 1, 4, 4, 1)]
    const values = Tensor.from([0.1, 0.7, -1e4, 1e4, 0.3])
    await expectEqual((on) => [
      ops.biasTokens(on(logits), on(rows), on(tokens), on(values)),
      ops.boostTokens(on(logits), on(rows), on(tokens), on(values)),
      ops.allowTokens(on(logits), on(rows), on(tokens)),
      ops.forceTokens(on(logits), on(rows), on(tokens)),
    ])
  })

  describe('refusals', () => {
    beforeAll(() => setDefaultDevice('cuda'))
    afterAll(() => setDefaultDevice('cpu'))
    const cuda = () => device('cuda')
    const withValue = (value: number) =>
      Tensor.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, value, 12, 13], { shape: [2, 7] })
    const ids = (...values: number[]) => Tensor.from(Int32Array.from(values))

    test.each([
      ['argmax: expected logits without NaN, got others at row 1', (l: Tensor) => ops.argmax(l)],
      ['topK: expected logits without NaN, got others at row 1', (l: Tensor) => ops.topK(l, 3)],
      [
        'sampleCategorical: expected logits that are finite or -inf, with at least one token to draw, got others at row 1',
        (l: Tensor) => ops.sampleCategorical(l, { seed: 1 }),
      ],
      [
        'warpLogits: expected logits that are finite or -inf, got others at row 1',
        (l: Tensor) => ops.warpLogits(l, 'topP', 0.9),
      ],
      [
        'beamCandidates: expected logits and beamScores without NaN, got others at row 0',
        (l: Tensor) => ops.beamCandidates(l, Tensor.zeros([1, 2]), 3),
      ],
      [
        'sampleCandidates: expected logits and beamScores without NaN, got others at row 0',
        (l: Tensor) => ops.sampleCandidates(l, Tensor.zeros([1, 2]), 3, { seed: 1 }),
      ],
    ])('%s, and the queue goes on', async (message, run) => {
      run(withValue(Number.NaN))
      await expect(cuda().synchronize()).rejects.toThrow(new DataError(message))
      expect(await ops.argmax(withValue(0)).data()).toEqual(Int32Array.of(6, 6))
    })

    test('rows that cannot be drawn from', async () => {
      for (const row of [
        [-Infinity, -Infinity],
        [0, Infinity],
      ]) {
        ops.sampleCategorical(Tensor.from([row]), { seed: 1 })
        await expect(cuda().synchronize()).rejects.toThrow(DataError)
      }
      const masked = Tensor.from([[-Infinity, -Infinity]])
      expect([...(await ops.warpLogits(masked, 'topP', 0.5).data())]).toEqual([-Infinity, -Infinity])
    })

    test('ids and lengths out of range', async () => {
      const list = (...values: number[]) => Tensor.from(Int32Array.from(values), { shape: [2, values.length / 2] })
      const runs: [message: string, run: (logits: Tensor) => unknown][] = [
        ['penalizeRepetition: expected an index in [0, 7), got 7', (l) => ops.penalizeRepetition(l, list(0, 7), 2)],
        ['banRepeatedNgrams: expected an index in [0, 7), got -1', (l) => ops.banRepeatedNgrams(l, list(0, -1), 1)],
        ['banTokens: expected an index in [0, 7), got 7', (l) => ops.banTokens(l, ids(7))],
        [
          'penalizeRepetition: expected an index in [0, 2), got 2',
          (l) => ops.penalizeRepetition(l, list(0, 1), 2, { lengths: ids(1, 2) }),
        ],
        ['forceTokens: expected an index in [0, 2), got 2', (l) => ops.forceTokens(l, ids(2), ids(0))],
        ['allowTokens: expected an index in [0, 7), got -1', (l) => ops.allowTokens(l, ids(0), ids(-1))],
        [
          'biasTokens: expected an index in [0, 2), got -1',
          (l) => ops.biasTokens(l, ids(-1), ids(0), Tensor.from([1])),
        ],
        [
          'boostTokens: expected an index in [0, 7), got 7',
          (l) => ops.boostTokens(l, ids(0), ids(7), Tensor.from([1])),
        ],
        [
          'sampleCategorical: expected an index in [0, 2147483648), got -1',
          (l) => ops.sampleCategorical(l, { seed: 1, streams: ids(0, -1) }),
        ],
        [
          'sampleCandidates: expected an index in [0, 2147483648), got -1',
          (l) => ops.sampleCandidates(l, Tensor.zeros([1, 2]), 2, { seed: 1, streams: ids(-1) }),
        ],
      ]
      for (const [message, run] of runs) {
        run(withValue(0))
        await expect(cuda().synchronize()).rejects.toThrow(new IndexError(message))
      }
    })
  })
})
