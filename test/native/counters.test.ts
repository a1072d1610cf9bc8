import { beforeEach, describe, expect, it } from 'vitest'
import { device, noGrad, ops, Packing, scope, Tensor } from '../../lib/index.ts'

beforeEach(() => device().resetCounters())

const ints = (...values: number[]) => Tensor.fromWithHostCopy(Int32Array.from(values))
const flopsOf = (name: string) => device().counters()[name]?.flops

describe('counters', () => {
  it('tell the calls of each op, in program order, until they are reset', () => {
    scope(() => {
      const x = Tensor.ones([3, 4])
      ops.add(ops.add(x, x), ops.mul(x, x))
      ops.relu(x)
    })
    expect(device().counters()).toMatchObject({
      fill: { calls: 1, flops: 0, bytes: 2 * 48 },
      binary: { calls: 3, flops: 0, bytes: 3 * 3 * 48 },
      unary: { calls: 1, flops: 0, bytes: 2 * 48 },
    })
    device().resetCounters()
    expect(device().counters()).toEqual({})
  })

  it('tell how long calls took, once they have run', async () => {
    const x = Tensor.ones([1 << 20])
    const start = performance.now()
    for (let i = 0; i < 20; i++) ops.add(x, x).dispose()
    await device().synchronize()
    const elapsed = (performance.now() - start) / 1000
    const { seconds } = device().counters().binary!
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(elapsed)
    x.dispose()
  })

  it('do not count a call that was refused', () => {
    scope(() => {
      const [a, b] = [Tensor.ones([3, 4]), Tensor.ones([3, 4])]
      expect(() => ops.gemm(a, b)).toThrow()
    })
    expect(device().counters().gemm).toBeUndefined()
  })

  it('tell the arithmetic of products: 2 for each multiply-add', () => {
    scope(() => {
      ops.gemm(Tensor.ones([3, 4]), Tensor.ones([4, 5]))
      expect(flopsOf('gemm')).toBe(2 * 3 * 4 * 5)
      ops.gemm(Tensor.ones([7, 3, 4]), Tensor.ones([7, 5, 4]), { transposeB: true })
      expect(flopsOf('gemm')).toBe(2 * 3 * 4 * 5 * 8)
      ops.gemm(Tensor.ones([0, 4]), Tensor.ones([4, 5]))
      expect(device().counters().gemm).toMatchObject({ calls: 3, flops: 2 * 3 * 4 * 5 * 8 })
    })
  })

  it('tell the arithmetic of attention: the pairs that see each other, of each sequence', () => {
    const [H, D] = [2, 8]
    const run = (queries: readonly number[], keys: readonly number[], causal: boolean, backward = false) => {
      device().resetCounters()
      scope(() => {
        const offsets = (lengths: readonly number[]) => Packing.fromLengths(lengths).cuSeqlens
        const [q, k] = [queries, keys].map((lengths) =>
          Tensor.ones([lengths.reduce((a, b) => a + b, 0), H, D], { requiresGrad: backward }),
        ) as [Tensor, Tensor]
        const o = ops.attention(q, k, k, {
          cuSeqlens: ints(...offsets(queries)),
          keyCuSeqlens: ints(...offsets(keys)),
          causal,
        })
        if (backward) o.backward(Tensor.ones(o.shape))
      })
      const { attentionFwd, attentionBwd } = device().counters()
      return [attentionFwd?.flops, attentionBwd?.flops]
    }
    expect(run([3, 5], [4, 2], false)).toEqual([4 * H * D * (12 + 10), undefined])
    // The last query sees the last key: 2 + 3 + 4 pairs; 0 + 0 + 0 + 1 + 2.
    expect(run([3, 5], [4, 2], true, true)).toEqual([4 * H * D * (9 + 3), 10 * H * D * (9 + 3)])
    expect(run([0, 1], [4, 0], true)).toEqual([0, undefined])
  })

  it('tell the arithmetic of decoding and of vocabulary losses', () => {
    noGrad(() =>
      scope(() => {
        const cache = Tensor.zeros([3, 2, 16, 8])
        const rows = ops.cacheRows([2, 0], [5, 9], [1, 3])
        ops.attentionDecode(Tensor.ones([4, 2, 8]), cache, cache, rows)
        expect(flopsOf('attentionDecode')).toBe(4 * 2 * 8 * (5 + 27))
        ops.attentionDecode(Tensor.ones([4, 2, 8]), cache, cache, rows, { causal: true })
        expect(flopsOf('attentionDecode')).toBe(4 * 2 * 8 * (5 + 27 + 5 + 7 + 8 + 9))
        const [x, weight] = [Tensor.ones([6, 8]), Tensor.ones([11, 8])]
        ops.linearCrossEntropy(x, weight, null, ints(1, 2, 3, 4, -100, 5))
        expect(flopsOf('linearCrossEntropy')).toBe(2 * 6 * 8 * 11)
      }),
    )
    scope(() => {
      const x = Tensor.ones([6, 8], { requiresGrad: true })
      const weight = Tensor.ones([11, 8], { requiresGrad: true })
      ops.generatorObjective(x, weight, null, ints(1, 2, 3), ints(0, 1, 2, 0, 1, 2), { seed: 1 })
      expect(flopsOf('generatorObjective')).toBe(3 * 2 * 6 * 8 * 11)
    })
  })
})
