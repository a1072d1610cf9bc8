import { describe, expect, test } from 'vitest'
import { ConfigError, noGrad, ops, ShapeError, StateError, setThreads, Tensor } from '../../lib/index.ts'
import { randomOf } from '../harness.ts'

function random(shape: readonly number[], seed: number): Tensor {
  const source = randomOf(seed)
  const size = shape.reduce((product, length) => product * length, 1)
  return Tensor.from(
    Float32Array.from({ length: size }, () => source.normal()),
    { shape },
  )
}

describe('bad input throws at the call', () => {
  const a = Tensor.zeros([3, 4])
  test.each([
    ['gemm: expected b (4, 2), got (5, 2)', () => ops.gemm(a, Tensor.zeros([5, 2]))],
    ['gemm: expected bias (2), got (3)', () => ops.gemm(a, Tensor.zeros([4, 2]), { bias: Tensor.zeros([3]) })],
    ['gemm: expected c (3, 2), got (2, 3)', () => ops.gemm(a, Tensor.zeros([4, 2]), { c: Tensor.zeros([2, 3]) })],
    ['gemm: expected at least 2 dimensions, got (4)', () => ops.gemm(a, Tensor.zeros([4]), { transposeB: true })],
    ['gemm: expected b (2, 4, 5), got (3, 4, 5)', () => ops.gemm(Tensor.zeros([2, 3, 4]), Tensor.zeros([3, 4, 5]))],
    ['PackedWeight: expected weight (K, N), got (4)', () => new ops.PackedWeight(Tensor.zeros([4]))],
  ])('%s', (message, call) => {
    expect(call).toThrow(ShapeError)
    expect(call).toThrow(message)
  })

  test('a packed weight of another K', () => {
    const packed = new ops.PackedWeight(Tensor.zeros([5, 2]))
    expect(() => ops.gemm(a, packed)).toThrow(ShapeError)
  })

  test('dropout probability out of range', () => {
    expect(() => ops.gemm(a, Tensor.zeros([4, 2]), { dropoutP: 1.5 })).toThrow(ConfigError)
  })

  test('a packed weight that requires a gradient', () => {
    const weight = Tensor.from(new Float32Array(8), { shape: [4, 2], requiresGrad: true })
    const packed = new ops.PackedWeight(weight)
    expect(() => ops.gemm(a, packed)).toThrow(StateError)
    expect(noGrad(() => ops.gemm(a, packed)).shape).toEqual([3, 2])
  })
})

describe('special values', () => {
  const nan = Tensor.from([
    [Number.NaN, 1],
    [0, 1],
  ])

  test('0 · NaN is NaN', async () => {
    expect([...(await ops.gemm(Tensor.zeros([1, 2]), nan).data())]).toEqual([Number.NaN, 0])
    expect([...(await ops.gemm(Tensor.zeros([1, 2]), nan, { transposeB: true }).data())]).toEqual([Number.NaN, 0])
  })

  test('beta 0 does not read c', async () => {
    expect([
      ...(await ops
        .gemm(Tensor.ones([1, 1]), Tensor.ones([1, 2]), { c: Tensor.from([[Number.NaN, Number.NaN]]), beta: 0 })
        .data()),
    ]).toEqual([1, 1])
  })

  test('NaN and infinity pass every activation', async () => {
    for (const act of ['none', 'relu', 'geluErf', 'geluTanh', 'silu'] as const) {
      const y = await ops.gemm(Tensor.from([[1]]), Tensor.from([[Number.NaN, Infinity]]), { act }).data()
      expect([...y], act).toEqual([Number.NaN, Infinity])
    }
  })
})

describe('the same bits for 1 and 2 threads', () => {
  test.each([
    [130, 260, 600, false, true],
    [300, 140, 700, true, false],
    [700, 130, 90, false, false],
    [5, 300, 600, false, true],
  ])('M %i, N %i, K %i, transposed %s %s', async (m, n, k, transposeA, transposeB) => {
    const a = random(transposeA ? [k, m] : [m, k], 1)
    const b = random(transposeB ? [n, k] : [k, n], 2)
    const bias = random([n], 3)
    const results = []
    for (const threads of [1, 2]) {
      setThreads(threads)
      const options = { transposeA, transposeB, bias, act: 'geluErf', dropoutP: 0.1 } as const
      results.push(await ops.gemm(a, b, options).data())
    }
    expect(results[0]).toEqual(results[1])
  })
})

test('a packed weight follows in-place updates', async () => {
  const weight = Tensor.ones([4, 2])
  const packed = new ops.PackedWeight(weight)
  const x = Tensor.ones([1, 4])
  expect([...(await ops.gemm(x, packed).data())]).toEqual([4, 4])
  const { native } = await import('../../lib/tensor.ts')
  native.fill(weight, { value: 2 })
  expect([...(await ops.gemm(x, packed).data())]).toEqual([8, 8])
  packed.dispose()
})

test('linear is x·Wᵀ + bias, with a tensor and with a packed weight', async () => {
  const x = random([7, 20], 4)
  const weight = random([9, 20], 5)
  const bias = random([9], 6)
  const plain = await ops.linear(x, weight, { bias }).data()
  const packed = await ops.linear(x, new ops.PackedWeight(weight, { transpose: true }), { bias }).data()
  const product = await ops.gemm(x, weight, { transposeB: true, bias }).data()
  expect(plain).toEqual(product)
  for (const [i, value] of packed.entries()) expect(value).toBeCloseTo(plain[i] as number, 4)
})

describe('weights of 16 bits are computed with as the same numbers in 32', () => {
  test.each([
    ...[1, 2, 3, 5, 7, 16, 17, 40].map((m) => [m, 37, 100] as const),
    [1, 1, 1] as const,
    [4, 130, 8] as const,
    [700, 24, 530] as const,
    [33, 5, 64] as const,
  ])('%i rows, %i columns, depth %i', async (m, n, k) => {
    const a = random([m, k], 1)
    const bias = random([n], 3)
    for (const dtype of ['bfloat16', 'float16'] as const) {
      for (const transposeB of [true, false]) {
        const narrow = ops.cast(random(transposeB ? [n, k] : [k, n], 2), dtype)
        const wide = ops.cast(narrow, 'float32')
        const [got, expected] = [narrow, wide].map((b) => ops.gemm(a, b, { transposeB, bias, act: 'relu' }))
        // Sums may be taken in another order where B lies along its rows.
        const [actual, reference] = [await got!.data(), await expected!.data()]
        for (const [i, value] of actual.entries()) {
          expect(Math.abs(value - (reference[i] as number))).toBeLessThanOrEqual(k * 2 ** -24 * 4 * Math.sqrt(k))
        }
        if (transposeB) expect(actual).toEqual(reference)
      }
    }
  })

  test('of a batch, each with its own', async () => {
    const a = random([3, 4, 20], 1)
    const narrow = ops.cast(random([3, 20, 9], 2), 'bfloat16')
    const whole = await ops.gemm(a, narrow).data()
    const parts = await Promise.all(
      [0, 1, 2].map((i) => ops.gemm(ops.slice(a, 0, i, i + 1), ops.slice(narrow, 0, i, i + 1)).data()),
    )
    expect([...whole]).toEqual(parts.flatMap((part) => [...part]))
  })
})
