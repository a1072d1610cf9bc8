import { describe, expect, test } from 'vitest'
import { ConfigError, type DType, ops, scope, Tensor } from '../../lib/index.ts'

describe('cast', () => {
  test('rounds floats to nearest even, and widens them as they are', async () => {
    const x = Tensor.from(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, -1e6, 0.1))
    expect([...(await ops.cast(x, 'float16').data())]).toEqual([1, 1 + 2 ** -9, -Infinity, 0.0999755859375])
    expect([...(await ops.cast(ops.cast(x, 'bfloat16'), 'float32').data())]).toEqual([1, 1, -999424, 0.10009765625])
    expect([...(await ops.cast(x, 'int32').data())]).toEqual([1, 1, -1000000, 0])
  })

  test('is the tensor itself where nothing changes', () => {
    const x = Tensor.ones([3])
    expect(ops.cast(x, 'float32')).toBe(x)
  })

  test('passes the gradient through, in 32 bits', async () => {
    for (const dtype of ['float16', 'bfloat16', 'float32'] as const) {
      const x = Tensor.from(Float32Array.of(1, 2, 3), { requiresGrad: true })
      const dY = Tensor.from(Float32Array.of(0.1, -7e5, 3))
      scope(() => ops.cast(ops.cast(x, dtype), 'float32').backward(dY))
      expect(x.grad?.dtype).toBe('float32')
      expect(await x.grad?.data()).toEqual(await dY.data())
    }
  })

  test('refuses what is no dtype', () => {
    expect(() => ops.cast(Tensor.ones([2]), 'float64' as DType)).toThrow(ConfigError)
  })
})
