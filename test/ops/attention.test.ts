import { describe, expect, test } from 'vitest'
import { ConfigError, device, IndexError, ops, ShapeError, StateError, setThreads, Tensor } from '../../lib/index.ts'
import { randomOf } from '../harness.ts'
import { fromFn } from '../reference/array.ts'

function normal(shape: readonly number[], seed: number, requiresGrad = false): Tensor {
  const random = randomOf(seed)
  return Tensor.from(Float32Array.from(fromFn(shape, () => random.normal()).data), { shape, requiresGrad })
}

const offsets = (...values: number[]) => Tensor.fromWithHostCopy(Int32Array.from(values))

describe('attention', () => {
  test('takes slices of a fused (N, 3, H, D) without a copy', async () => {
    const [n, h, d] = [37, 2, 8]
    const fused = normal([n, 3, h, d], 1)
    const part = (i: number) => fused.view([n, h, d], [3 * h * d, d, 1], i * h * d)
    const dense = async (i: number) => Tensor.from(await part(i).data(), { shape: [n, h, d] })
    const got = ops.attention(part(0), part(1), part(2))
    const want = ops.attention(await dense(0), await dense(1), await dense(2))
    expect(await got.data()).toEqual(await want.data())
  })

  test('the gradient of the table sums to zero over the buckets of each head', async () => {
    const table = normal([32, 3], 2, true)
    const q = normal([150, 3, 16], 3)
    const o = ops.attention(q, normal([150, 3, 16], 4), normal([150, 3, 16], 5), {
      cuSeqlens: offsets(0, 100, 150),
      biasTable: table,
      dropoutP: 0.1,
    })
    o.backward(normal([150, 3, 16], 6))
    const gradient = await table.grad!.data()
    for (let h = 0; h < 3; h++) {
      const column = Array.from({ length: 32 }, (_, i) => gradient[i * 3 + h] as number)
      const size = column.reduce((sum, x) => sum + Math.abs(x), 0)
      expect(Math.abs(column.reduce((sum, x) => sum + x, 0))).toBeLessThan(1e-5 * size)
    }
  })

  test('memory is linear in the tokens, forward and backward', async () => {
    // 8192 tokens: one head's scores alone would be 256 MiB.
    const peak = async (n: number) => {
      const [q, k, v, dO] = [1, 2, 3, 4].map((seed) => normal([n, 1, 16], seed, seed < 4)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ]
      const table = normal([32, 1], 5, true)
      device().resetPeak()
      const before = device().memory().live
      ops.attention(q, k, v, { biasTable: table }).backward(dO)
      await device().synchronize()
      expect(Number.isFinite((await q.grad!.data())[0])).toBe(true)
      return device().memory().peak - before
    }
    const short = await peak(1024)
    expect(await peak(8192)).toBeLessThan(9 * short)
    expect(await peak(8192)).toBeLessThan(48 << 20)
  })

  test('bit-identical for one and two threads', async () => {
    const results = []
    for (const threads of [1, 2]) {
      setThreads(threads)
      const [q, k, v] = [1, 2, 3].map((seed) => normal([700, 2, 16], seed, true)) as [Tensor, Tensor, Tensor]
      const table = normal([32, 2], 5, true)
      const dense = normal([1, 2, 400, 400], 6, true)
      const o = ops.attention(q, k, v, {
        cuSeqlens: offsets(0, 400, 700),
        biasTable: table,
        biasDense: dense,
        dropoutP: 0.2,
      })
      o.backward(normal([700, 2, 16], 7))
      results.push(await Promise.all([o, q.grad!, k.grad!, v.grad!, table.grad!, dense.grad!].map((t) => t.data())))
    }
    expect(results[0]).toEqual(results[1])
  })

  test('a NaN in a query stays in its row', async () => {
    const k = fromFn([3, 1, 4], (i) => i)
    const q = fromFn([3, 1, 4], (i) => (i === 5 ? Number.NaN : 0.5))
    const t = (a: typeof q) => Tensor.from(a.data, { shape: a.shape, dtype: 'float32' })
    const o = await ops.attention(t(q), t(k), t(k)).data()
    expect(Array.from(o, Number.isNaN)).toEqual(Array.from({ length: 12 }, (_, i) => i >= 4 && i < 8))
  })

  test('wrong input is refused at the call', () => {
    const q = normal([6, 2, 4], 1)
    const k = normal([5, 2, 4], 2)
    expect(() => ops.attention(q, k, q)).toThrow(ShapeError)
    expect(() => ops.attention(q, q, q, { cuSeqlens: offsets(0, 5) })).toThrow(/from 0 to 6/)
    expect(() => ops.attention(q, q, q, { cuSeqlens: offsets(0, 4, 3, 6) })).toThrow(ShapeError)
    expect(() => ops.attention(q, k, k, { cuSeqlens: offsets(0, 6), keyCuSeqlens: offsets(0, 2, 5) })).toThrow(
      ShapeError,
    )
    expect(() => ops.attention(q, q, q, { positions: Tensor.from(new Int32Array(6)) })).toThrow(StateError)
    expect(() => ops.attention(q, q, q, { biasTable: normal([32, 3], 3) })).toThrow(ShapeError)
    expect(() => ops.attention(q, q, q, { biasTable: normal([2, 2], 3) })).toThrow(ConfigError)
    expect(() => ops.attention(q, q, q, { biasDense: normal([1, 2, 5, 6], 3) })).toThrow(ShapeError)
    expect(() => ops.attention(q, q, q, { dropoutP: 1.5 })).toThrow(ConfigError)
  })

  test('a position out of range is an error at the next wait', async () => {
    const q = normal([2, 1, 4], 1)
    const positions = Tensor.from(Int32Array.of(0, -1))
    const o = ops.attention(q, q, q, { positions, keyPositions: positions })
    await expect(o.data()).rejects.toThrow(IndexError)
    expect(await ops.attention(q, q, q).data()).toHaveLength(8)
  })
})
