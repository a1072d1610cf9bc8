import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  ConfigError,
  DataError,
  device,
  IndexError,
  ops,
  ShapeError,
  StateError,
  setThreads,
  Tensor,
} from '../../lib/index.ts'
import { randomOf } from '../harness.ts'
import { softmax } from '../reference/sampling.ts'

const golden = new URL('../golden/sampling/', import.meta.url)

interface Entry {
  readonly dtype: 'I64' | 'F32'
  readonly shape: number[]
  readonly data_offsets: [number, number]
}

/** The tensors of a safetensors file, int64 as int32. */
function tensorsOf(file: string): Record<string, { shape: number[]; data: Float32Array | Int32Array }> {
  const bytes = readFileSync(new URL(file, golden))
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, Entry>
  return Object.fromEntries(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => {
          const raw = Uint8Array.from(bytes.subarray(start + from, start + to)).buffer
          const data =
            dtype === 'F32' ? new Float32Array(raw) : Int32Array.from(new BigInt64Array(raw), (value) => Number(value))
          return [name, { shape, data }]
        },
      ),
  )
}

interface Run {
  readonly name: string
  readonly options: Record<string, number> & { suppress_tokens: number[] }
  readonly processors_in_order: string[]
}
interface Tolerance {
  readonly atol: number
  readonly rtol: number
}
const recorded = JSON.parse(readFileSync(new URL('case.json', golden), 'utf8')) as {
  runs: Run[]
  expected: Record<string, Tolerance>
}
const inputs = tensorsOf('inputs.safetensors')
const expected = tensorsOf('expected.safetensors')
const input = (name: string) => Tensor.from(inputs[name]!.data, { shape: inputs[name]!.shape })
const eos = 1

type Processor = (scores: Tensor, options: Run['options']) => Tensor
const warp =
  (rule: ops.WarpRule, option: string): Processor =>
  (scores, options) =>
    ops.warpLogits(scores, rule, options[option]!)
const banEos: Processor = (scores) => ops.banTokens(scores, Tensor.from(Int32Array.of(eos)))

// The prompt of nine ids is shorter than every minimum that a run sets. Two runs need more than these ops; all of them go
// through the library's own processors where the golden cases run.
const processors: Record<string, Processor> = {
  TemperatureLogitsWarper: warp('temperature', 'temperature'),
  TopHLogitsWarper: warp('topH', 'top_h'),
  TopKLogitsWarper: warp('topK', 'top_k'),
  TopPLogitsWarper: warp('topP', 'top_p'),
  MinPLogitsWarper: warp('minP', 'min_p'),
  TypicalLogitsWarper: warp('typical', 'typical_p'),
  EpsilonLogitsWarper: warp('epsilon', 'epsilon_cutoff'),
  EtaLogitsWarper: warp('eta', 'eta_cutoff'),
  MinLengthLogitsProcessor: banEos,
  RepetitionPenaltyLogitsProcessor: (scores, options) =>
    ops.penalizeRepetition(scores, input('input_ids'), options.repetition_penalty!),
  EncoderRepetitionPenaltyLogitsProcessor: (scores, options) =>
    ops.penalizeRepetition(scores, input('encoder_input_ids'), 1 / options.encoder_repetition_penalty!),
  NoRepeatNGramLogitsProcessor: (scores, options) =>
    ops.banRepeatedNgrams(scores, input('input_ids'), options.no_repeat_ngram_size!),
  EncoderNoRepeatNGramLogitsProcessor: (scores, options) =>
    ops.banRepeatedNgrams(scores, input('input_ids'), options.encoder_no_repeat_ngram_size!, {
      sources: input('encoder_input_ids'),
    }),
  SuppressTokensLogitsProcessor: (scores, options) =>
    ops.banTokens(scores, Tensor.from(Int32Array.from(options.suppress_tokens))),
}

// Where top-p must drop some of several equal logits, an unstable sort chose which in this run: only how many it keeps,
// and their scores, are comparable.
const unstable = new Set(['all_with_penalties'])

function sortRows(values: ArrayLike<number>, v: number): number[] {
  const all = Array.from(values)
  return all.flatMap((_, i) => (i % v === 0 ? all.slice(i, i + v).sort((a, b) => a - b) : []))
}

function expectNear(values: ArrayLike<number>, run: string, what: string): void {
  const name = `${run}.${what}`
  const { atol, rtol } = recorded.expected[name]!
  const { data, shape } = expected[name]!
  const [got, want] = unstable.has(run) ? [sortRows(values, shape[1]!), sortRows(data, shape[1]!)] : [values, data]
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i]!, want[i]!]
    if (g !== w && !(Math.abs(g - w) <= atol + rtol * Math.abs(w))) {
      expect.fail(`${name} at ${i}: expected ${w}, got ${g}`)
    }
  }
}

describe('recorded processors and warpers', () => {
  const runnable = recorded.runs.filter((run) => run.processors_in_order.every((name) => name in processors))
  test('are all but two', () => expect(recorded.runs.length - runnable.length).toBe(2))

  test.each(runnable.map((run) => [run.name, run] as const))('%s', async (name, run) => {
    const scores = run.processors_in_order.reduce(
      (before, processor) => processors[processor]!(before, run.options),
      input('logits'),
    )
    const got = await scores.data()
    expectNear(got, name, 'processed')
    const [rows, v] = scores.shape as [number, number]
    const probabilities = Array.from({ length: rows }, (_, i) => softmax([...got.slice(i * v, (i + 1) * v)]))
    expectNear(probabilities.flat(), name, 'probabilities')
  })
})

function randomLogits(rows: number, v: number, scale = 2): Tensor {
  const random = randomOf(rows * 7919 + v)
  return Tensor.from(
    Float32Array.from({ length: rows * v }, () => random.normal() * scale),
    { shape: [rows, v] },
  )
}

describe('sampleCategorical', () => {
  test('draws in proportion to the probabilities', async () => {
    const row = [0, 1, 2, -Infinity, -1]
    const rows = 20000
    const logits = Tensor.from(
      Float32Array.from({ length: rows * 5 }, (_, i) => row[i % 5]!),
      { shape: [rows, 5] },
    )
    const ids = await ops.sampleCategorical(logits, { seed: 1 }).data()
    softmax(row).forEach((p, id) => {
      const share = ids.filter((x) => x === id).length / rows
      // Four standard deviations.
      expect(Math.abs(share - p)).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / rows))
    })
  })

  test('a row draws the same whatever other rows there are; seed, site and step change it', async () => {
    const logits = randomLogits(64, 1000, 0.1)
    const draw = (options: ops.RandomDraw) => ops.sampleCategorical(logits, options).data()
    const ids = await draw({ seed: 1 })
    const first = ops.sampleCategorical(logits.view([8, 1000], [1000, 1], 0), { seed: 1 })
    expect(await first.data()).toEqual(ids.slice(0, 8))
    for (const other of [{ seed: 2 }, { seed: 1, site: 1 }, { seed: 1, step: 1 }]) {
      expect(await draw(other)).not.toEqual(ids)
    }
  })
})

test('results are the same bits on one thread and on two', async () => {
  const logits = randomLogits(9, 5003)
  const all = () => [
    ops.argmax(logits),
    ops.topK(logits, 50).values,
    ops.sampleCategorical(logits, { seed: 3 }),
    ops.warpLogits(logits, 'topP', 0.95),
    ops.warpLogits(logits, 'typical', 0.9),
  ]
  const results = []
  for (const threads of [1, 2]) {
    setThreads(threads)
    results.push(await Promise.all(all().map((tensor) => tensor.data())))
  }
  expect(results[1]).toEqual(results[0])
})

test('sampleCandidates draws without replacement, the first with the probabilities of softmax', async () => {
  const row = [0, 1, -1, 0.5, -Infinity, 2]
  const draws = 4000
  // One sentence of two beams; the second is a nat less likely.
  const logits = Tensor.from(Array.from({ length: draws }, () => [row, row]).flat())
  const beamScores = Tensor.from(Array.from({ length: draws }, () => [0, -1]))
  const k = 4
  const { scores, parents, tokens } = ops.sampleCandidates(logits, beamScores, k, { seed: 5 })
  const [score, parent, token] = await Promise.all([scores.data(), parents.data(), tokens.data()])
  const probabilities = softmax([...row, ...row.map((x) => x - 1)])
  const firsts = new Array<number>(12).fill(0)
  for (let i = 0; i < draws; i++) {
    const ids = Array.from({ length: k }, (_, j) => parent[i * k + j]! * 6 + token[i * k + j]!)
    expect(new Set(ids).size).toBe(k)
    ids.forEach((id, j) => {
      expect(score[i * k + j]).toBe(row[id % 6]! - Math.floor(id / 6))
    })
    firsts[ids[0]!]! += 1
  }
  firsts.forEach((count, id) => {
    const p = probabilities[id]!
    // Five standard deviations of a binomial count.
    expect(Math.abs(count - draws * p)).toBeLessThanOrEqual(5 * Math.sqrt(draws * p * (1 - p)))
  })
})

test('the largest random number is no infinite noise', async () => {
  // The last of these four draws has the 24 highest bits set; its token is less likely by e^-50.
  const draw = { seed: 1, step: 807368 }
  const { tokens } = ops.sampleCandidates(Tensor.from([[0, 0, 0, -50]]), Tensor.zeros([1, 1]), 4, draw)
  expect((await tokens.data())[3]).toBe(3)
})

describe('refusals', () => {
  const withValue = (value: number) => Tensor.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, value, 12, 13], { shape: [2, 7] })
  const cpu = device('cpu')

  test.each([
    ['argmax', (l: Tensor) => ops.argmax(l)],
    ['topK', (l: Tensor) => ops.topK(l, 3)],
    ['sampleCategorical', (l: Tensor) => ops.sampleCategorical(l, { seed: 1 })],
    ['warpLogits', (l: Tensor) => ops.warpLogits(l, 'topP', 0.9)],
    ['beamCandidates', (l: Tensor) => ops.beamCandidates(l, Tensor.zeros([1, 2]), 3)],
  ])('%s of NaN fails at the next wait, and the queue goes on', async (name, run) => {
    run(withValue(Number.NaN))
    const failure = cpu.synchronize()
    await expect(failure).rejects.toThrow(DataError)
    await expect(failure).rejects.toThrow(new RegExp(`^${name}: expected logits .* at row ${name[0] === 'b' ? 0 : 1}`))
    expect(await ops.argmax(withValue(0)).data()).toEqual(Int32Array.of(6, 6))
  })

  test('rows that cannot be drawn from', async () => {
    for (const row of [
      [-Infinity, -Infinity],
      [0, Infinity],
    ]) {
      ops.sampleCategorical(Tensor.from([row]), { seed: 1 })
      await expect(cpu.synchronize()).rejects.toThrow(DataError)
    }
    const masked = Tensor.from([[-Infinity, -Infinity]])
    expect([...(await ops.warpLogits(masked, 'topP', 0.5).data())]).toEqual([-Infinity, -Infinity])
  })

  test('ids and lengths out of range', async () => {
    const logits = withValue(0)
    const ids = (...values: number[]) => Tensor.from(Int32Array.from(values))
    const list = (...values: number[]) => Tensor.from(Int32Array.from(values), { shape: [2, values.length / 2] })
    const runs = [
      () => ops.penalizeRepetition(logits, list(0, 7), 2),
      () => ops.banRepeatedNgrams(logits, list(0, -1), 1),
      () => ops.banTokens(logits, Tensor.from(Int32Array.of(7))),
      () => ops.penalizeRepetition(logits, list(0, 1), 2, { lengths: Tensor.from(Int32Array.of(1, 2)) }),
      () => ops.forceTokens(logits, ids(2), ids(0)),
      () => ops.allowTokens(logits, ids(0), ids(-1)),
      () => ops.biasTokens(logits, ids(-1), ids(0), Tensor.from([1])),
      () => ops.boostTokens(logits, ids(0), ids(7), Tensor.from([1])),
      () => ops.sampleCategorical(logits, { seed: 1, streams: ids(0, -1) }),
      () => ops.sampleCandidates(logits, Tensor.zeros([1, 2]), 2, { seed: 1, streams: ids(-1) }),
    ]
    for (const run of runs) {
      run()
      await expect(cpu.synchronize()).rejects.toThrow(IndexError)
    }
  })

  test('options and shapes, at the call', () => {
    const logits = withValue(0)
    expect(() => ops.topK(logits, 8)).toThrow(new ConfigError('topK: expected k of at most 7, got 8'))
    expect(() => ops.topK(logits, 0)).toThrow(ConfigError)
    expect(() => ops.warpLogits(logits, 'temperature', 0)).toThrow(ConfigError)
    expect(() => ops.warpLogits(logits, 'topP', 1.5)).toThrow(ConfigError)
    expect(() => ops.warpLogits(logits, 'topK', 2.5)).toThrow(ConfigError)
    expect(() => ops.sampleCategorical(logits, { seed: -1 })).toThrow(ConfigError)
    expect(() => ops.argmax(Tensor.zeros([2, 0]))).toThrow(ShapeError)
    expect(() => ops.argmax(Tensor.zeros([3]))).toThrow(ShapeError)
    expect(() => ops.beamCandidates(logits, Tensor.zeros([2, 2]), 1)).toThrow(ShapeError)
    expect(() => ops.beamCandidates(logits, Tensor.zeros([1, 2]), 15)).toThrow(ConfigError)
    expect(() => ops.sampleCandidates(logits, Tensor.zeros([1, 2]), 15, { seed: 1 })).toThrow(ConfigError)
    const ids = Tensor.zeros([1, 3], { dtype: 'int32' })
    const found = { scores: Tensor.zeros([1, 3]), parents: ids, tokens: ids }
    expect(() => ops.runningBeams(found, Tensor.from(Int32Array.of(1)), 4, -1)).toThrow(
      new ConfigError('runningBeams: expected at most 3 beams, got 4'),
    )
    const one = Tensor.from(Int32Array.of(0))
    expect(() => ops.allowTokens(logits, one, one, { group: 3 })).toThrow(
      new ShapeError('allowTokens: expected rows in groups of 3, got 2'),
    )
    expect(() => ops.biasTokens(logits, one, one, Tensor.zeros([2]))).toThrow(ShapeError)
    expect(() => ops.argmax(Tensor.zeros([1, 2], { requiresGrad: true }))).toThrow(StateError)
  })
})
