import { describe, expect, test } from 'vitest'
import {
  ConfigError,
  DataError,
  device,
  IndexError,
  noGrad,
  ops,
  ShapeError,
  StateError,
  Tensor,
} from '../../lib/index.ts'
import { randomOf } from '../harness.ts'
import { inverseCdf, probabilities, uniformOf } from '../reference/token-sampler.ts'

const cpu = device('cpu')

function normals(shape: number[], seed: number, scale = 1): { data: Float32Array; tensor: Tensor } {
  const random = randomOf(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  const data = Float32Array.from({ length: size }, () => random.normal() * scale)
  return { data, tensor: Tensor.from(data, { shape }) }
}

const ints = (...values: number[]) => Tensor.from(Int32Array.from(values))

describe('vocabulary losses', () => {
  const logits = () => normals([3, 5], 1).tensor
  const head = () => [normals([3, 4], 2).tensor, normals([5, 4], 3).tensor] as const

  test('a label outside the vocabulary is an IndexError at the next wait, and the queue goes on', async () => {
    for (const label of [5, -1, -99]) {
      await expect(ops.crossEntropy(logits(), ints(0, label, 1)).item()).rejects.toThrow(IndexError)
      const [x, weight] = head()
      await expect(ops.linearCrossEntropy(x, weight, null, ints(0, label, 1)).item()).rejects.toThrow(
        `linearCrossEntropy: expected labels in [0, 5) or -100, got ${label} at row 1`,
      )
    }
    expect(await ops.crossEntropy(logits(), ints(0, 4, -100)).item()).toBeGreaterThan(0)
  })

  test('shapes and options are checked at the call', () => {
    expect(() => ops.crossEntropy(logits(), ints(0, 1))).toThrow(ShapeError)
    expect(() => ops.crossEntropy(logits(), ints(0, 1, 2), { reduction: 'weighted' })).toThrow(ConfigError)
    expect(() => ops.crossEntropy(logits(), ints(0, 1, 2), { weights: Tensor.ones([3]) })).toThrow(ConfigError)
    expect(() => ops.crossEntropy(logits(), ints(0, 1, 2), { labelSmoothing: 1 })).toThrow(ConfigError)
    const weights = Tensor.ones([3], { requiresGrad: true })
    expect(() => ops.crossEntropy(logits(), ints(0, 1, 2), { reduction: 'weighted', weights })).toThrow(StateError)
    expect(() => ops.crossEntropy(Tensor.ones([2, 1]), ints(0, 0), { labelSmoothing: 0.1, smoothing: 't5x' })).toThrow(
      ShapeError,
    )
  })

  test('a mean over nothing is 0 with zero gradients', async () => {
    const x = Tensor.from(new Float32Array(15).fill(Number.NaN), { shape: [3, 5], requiresGrad: true })
    const loss = ops.crossEntropy(x, ints(-100, -100, -100))
    loss.backward()
    expect(await loss.item()).toBe(0)
    expect([...(await x.grad!.data())]).toEqual(new Array(15).fill(0))
    const weights = Tensor.zeros([3])
    expect(await ops.crossEntropy(x.detach(), ints(0, 1, 2), { reduction: 'weighted', weights }).item()).toBe(0)
  })

  test('NaN logits give a NaN loss and gradient', async () => {
    const values = new Float32Array(300).fill(1)
    values[7] = Number.NaN
    const x = Tensor.from(values, { shape: [2, 150], requiresGrad: true })
    const loss = ops.crossEntropy(x, ints(0, 1), { reduction: 'none' })
    loss.backward(Tensor.ones([2]))
    const [first, second] = await loss.data()
    expect(first).toBeNaN()
    expect(second).toBeCloseTo(Math.log(150), 5)
    expect((await x.grad!.data())[3]).toBeNaN()
  })

  test('the linear form needs memory for blocks of tokens, not for all logits', async () => {
    const [n, k, v] = [8192, 8, 8000]
    const x = normals([n, k], 4).tensor
    const weight = normals([v, k], 5).tensor
    const labels = Tensor.from(Int32Array.from({ length: n }, (_, i) => i % v))
    await cpu.synchronize()
    cpu.trim()
    cpu.resetPeak()
    const before = cpu.memory().live
    const [xLeaf, weightLeaf] = [x, weight].map((t) => t.view(t.shape, t.strides, 0, true)) as [Tensor, Tensor]
    ops.linearCrossEntropy(xLeaf, weightLeaf, null, labels).backward()
    await cpu.synchronize()
    expect(cpu.memory().peak - before).toBeLessThan((n * v * 4) / 6)
  })
})

describe('token replacement', () => {
  const originalIds = () => ints(0, 1, 2, 3)

  test('bad indices and logits are typed errors at the next wait', async () => {
    const logits = normals([2, 5], 6).tensor
    const run = (x: Tensor, ids: Tensor, positions: Tensor, options = {}) =>
      ops.replaceTokens(x, ids, positions, { seed: 1, ...options }).corruptedIds.data()
    await expect(run(logits, originalIds(), ints(0, 4))).rejects.toThrow(IndexError)
    await expect(run(logits, ints(0, 5, 2, 3), ints(0, 1))).rejects.toThrow(
      'replaceTokens: expected originalIds in [0, 5), got 5 at index 1',
    )
    for (const bad of [Number.NaN, Infinity]) {
      const values = new Float32Array(10)
      values[8] = bad
      const x = Tensor.from(values, { shape: [2, 5] })
      await expect(run(x, originalIds(), ints(0, 1))).rejects.toThrow(DataError)
      await expect(run(x, originalIds(), ints(0, 1))).rejects.toThrow(/^replaceTokens: .* at row 1/)
    }
    await expect(run(Tensor.full([1, 5], -Infinity), originalIds(), ints(0))).rejects.toThrow(DataError)
    const only = Tensor.zeros([1, 1])
    await expect(run(only, ints(0), ints(0), { disallowCorrect: true })).rejects.toThrow(DataError)
    const weight = Tensor.from(new Float32Array(15).fill(Number.NaN), { shape: [5, 3] })
    await expect(
      ops.generatorObjective(Tensor.ones([2, 3]), weight, null, originalIds(), ints(0, 1), { seed: 1 }).loss.item(),
    ).rejects.toThrow(/^generatorObjective: .* at row 0/)
    expect(() => ops.replaceTokens(logits, originalIds(), ints(0), { seed: 1 })).toThrow(ShapeError)
    expect(() => ops.replaceTokens(logits, originalIds(), ints(0, 1), { seed: 1, temperature: 0 })).toThrow(ConfigError)
    expect((await run(logits, originalIds(), ints(0, 1))).length).toBe(4)
  })

  test('of samples for one position the last counts; a correct guess counts as real', async () => {
    const peaked = (...ids: number[]) =>
      Tensor.from(
        ids.flatMap((id) => Array.from({ length: 9 }, (_, v) => (v === id ? 0 : -Infinity))),
        { shape: [ids.length, 9] },
      )
    const result = ops.replaceTokens(peaked(7, 8, 3, 5), originalIds(), ints(1, 0, 3, 1), { seed: 9 })
    expect([...(await result.sampledIds.data())]).toEqual([7, 8, 3, 5])
    expect([...(await result.corruptedIds.data())]).toEqual([8, 5, 2, 3])
    expect([...(await result.isReplaced.data())]).toEqual([1, 1, 0, 0])
  })

  test('the true token is left out even where it has nearly all of the probability', async () => {
    const values = new Float32Array(400).fill(-500)
    values[2] = 0
    values[300] = -120
    const logits = Tensor.from(values, { shape: [1, 400] })
    const options = { seed: 3, disallowCorrect: true }
    expect(await ops.replaceTokens(logits, originalIds(), ints(2), options).sampledIds.item()).toBe(300)
  })

  test.each([{}, { temperature: 0.5 }, { temperature: 3, disallowCorrect: true }])(
    'samples follow the float64 inverse CDF but for draws at its edges %o',
    async (settings) => {
      const [m, v] = [500, 3001]
      const options = { seed: 77, site: 4, step: 12, ...settings }
      const { data, tensor } = normals([m, v], 8, 3)
      const random = randomOf(10)
      const ids = Int32Array.from({ length: m }, () => random.integer(v))
      const positions = Int32Array.from({ length: m }, (_, i) => i)
      const result = ops.replaceTokens(tensor, Tensor.from(ids), Tensor.from(positions), options)
      const sampled = await result.sampledIds.data()
      // Each of the V weights is off by some units in the last place, and so is their running sum.
      const rounding = 16 * 2 ** -24
      let different = 0
      for (let i = 0; i < m; i++) {
        const excluded = options.disallowCorrect ? ids[i]! : -1
        const p = probabilities(data.subarray(i * v, (i + 1) * v), options.temperature, excluded)
        const { id, margin } = inverseCdf(p, uniformOf(i, options))
        if (sampled[i] === id) continue
        different++
        expect(margin, `row ${i}: ${sampled[i]} for ${id}`).toBeLessThan(rounding)
      }
      expect(different).toBeLessThan(3)
    },
  )

  test.each([{}, { temperature: 2 }, { disallowCorrect: true }])(
    'frequencies pass a chi-square test %o',
    async (settings) => {
      const [m, v, correct] = [20_000, 200, 140]
      const { data } = normals([v], 11, 1.5)
      const logits = Tensor.from(
        Float32Array.from({ length: m * v }, (_, i) => data[i % v]!),
        { shape: [m, v] },
      )
      const positions = Tensor.zeros([m], { dtype: 'int32' })
      const result = ops.replaceTokens(logits, ints(correct), positions, { seed: 5, ...settings })
      const counts = new Float64Array(v)
      for (const id of await result.sampledIds.data()) counts[id]!++
      const options: { temperature?: number; disallowCorrect?: boolean } = settings
      const p = probabilities(data, options.temperature, options.disallowCorrect ? correct : -1)
      // Rare tokens share a bin, so that every bin expects at least five.
      let chiSquare = 0
      let degrees = -1
      let rare = [0, 0] as [number, number]
      p.forEach((probability, id) => {
        if (probability * m < 5) {
          rare = [rare[0] + counts[id]!, rare[1] + probability * m]
          return
        }
        chiSquare += (counts[id]! - probability * m) ** 2 / (probability * m)
        degrees++
      })
      if (rare[1] >= 5) {
        chiSquare += (rare[0] - rare[1]) ** 2 / rare[1]
        degrees++
      }
      // Wilson and Hilferty's approximation: the cube root of χ²/k is nearly normal. 4 standard deviations either way.
      const spread = 2 / (9 * degrees)
      const z = (Math.cbrt(chiSquare / degrees) - (1 - spread)) / Math.sqrt(spread)
      expect(Math.abs(z)).toBeLessThan(4)
      if (options.disallowCorrect) expect(counts[correct]).toBe(0)
    },
  )

  test('the objective draws what replaceTokens draws from its logits, with a tape or without', async () => {
    const [m, k, v, n] = [70, 16, 700, 200]
    const x = Tensor.from(normals([m, k], 12).data, { shape: [m, k], requiresGrad: true })
    const weight = normals([v, k], 13).tensor
    const random = randomOf(14)
    const ids = Tensor.from(Int32Array.from({ length: n }, () => random.integer(v)))
    const positions = Tensor.from(Int32Array.from({ length: m }, () => random.integer(n)))
    const options = { seed: 21, temperature: 0.7 }
    const taped = ops.generatorObjective(x, weight, null, ids, positions, options)
    const free = noGrad(() => ops.generatorObjective(x, weight, null, ids, positions, options))
    expect(taped.loss.requiresGrad).toBe(true)
    expect(taped.corruptedIds.requiresGrad).toBe(false)
    expect(await free.sampledIds.data()).toEqual(await taped.sampledIds.data())
    expect(await free.loss.item()).toBe(await taped.loss.item())
    const logits = noGrad(() => ops.gemm(x, weight, { transposeB: true }))
    const given = ops.replaceTokens(logits, ids, positions, options)
    expect(await given.corruptedIds.data()).toEqual(await taped.corruptedIds.data())
  })
})
