import { describe, expect, test } from 'vitest'
import {
  ConfigError,
  DTypeError,
  device,
  IndexError,
  noGrad,
  ops,
  ShapeError,
  StateError,
  scope,
  Tensor,
} from '../../lib/index.ts'
import { randomOf } from '../harness.ts'
import { fromFn } from '../reference/array.ts'

function normal(shape: readonly number[], seed: number, requiresGrad = false): Tensor {
  const random = randomOf(seed)
  return Tensor.from(Float32Array.from(fromFn(shape, () => random.normal()).data), { shape, requiresGrad })
}

const [heads, size] = [2, 16]
const cacheOf = (slots: number, maxLength: number) => Tensor.zeros([slots, heads, maxLength, size])
const maxDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)))

describe('decoding step by step', () => {
  test('gives what attention gives over whole sequences', async () => {
    const lengths = [11, 4]
    const rows = [normal([15, heads, size], 1), normal([15, heads, size], 2), normal([15, heads, size], 3)] as const
    const biasTable = normal([32, heads], 4)
    const offsets = Tensor.fromWithHostCopy(Int32Array.of(0, 11, 15))
    const options = { biasTable, causal: true, bidirectional: false, scale: 0.25 }
    const want = await ops.attention(...rows, { cuSeqlens: offsets, ...options }).data()

    const [cacheK, cacheV] = [cacheOf(5, 11), cacheOf(5, 11)]
    const width = heads * size
    const got = new Float32Array(15 * width)
    for (let t = 0; t < 11; t++) {
      // The second sequence is finished after four steps.
      const active = lengths.flatMap((length, i) => (t < length ? [i] : []))
      const at = Tensor.from(Int32Array.from(active, (i) => i * 11 + t))
      const [q, k, v] = rows.map((tensor) => ops.gatherRows(tensor, at)) as [Tensor, Tensor, Tensor]
      const step = ops.cacheRows(
        active.map((i) => 3 - 2 * i),
        active.map(() => t + 1),
      )
      ops.kvCacheAppend(cacheK, cacheV, k, v, step)
      const o = await ops.attentionDecode(q, cacheK, cacheV, step, options).data()
      active.forEach((i, n) => {
        got.set((o as Float32Array).subarray(n * width, (n + 1) * width), (i * 11 + t) * width)
      })
    }
    expect(maxDifference(got, want)).toBeLessThan(2e-6)
  })

  test('several rows at once give the bits that one by one give', async () => {
    const [q, k, v] = [1, 2, 3].map((seed) => normal([7, heads, size], seed)) as [Tensor, Tensor, Tensor]
    const options = { biasTable: normal([32, heads], 4), causal: true, bidirectional: false }
    const [cacheK, cacheV] = [cacheOf(1, 7), cacheOf(1, 7)]
    const whole = ops.cacheRows([0], [7], [7])
    ops.kvCacheAppend(cacheK, cacheV, k, v, whole)
    const together = await ops.attentionDecode(q, cacheK, cacheV, whole, options).data()
    for (let t = 0; t < 7; t++) {
      const row = ops.slice(q, 0, t, t + 1)
      const alone = await ops.attentionDecode(row, cacheK, cacheV, ops.cacheRows([0], [t + 1]), options).data()
      expect(Array.from(alone)).toEqual(Array.from(together.slice(t * heads * size, (t + 1) * heads * size)))
    }
  })

  test('a beam that continues another reads its keys through the table', async () => {
    const [slots, maxLength] = [3, 4]
    const [cacheK, cacheV] = [normal([slots, heads, maxLength, size], 1), normal([slots, heads, maxLength, size], 2)]
    const q = normal([2, heads, size], 3)
    // Beam 2 was continued from beam 0 after two keys; its third key is its own.
    const slotTable = Tensor.from(Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 2, 2), { shape: [slots, maxLength] })
    const step = ops.cacheRows([0, 2], [3, 3])
    const got = await ops.attentionDecode(q, cacheK, cacheV, step, { slotTable }).data()

    const copied = await Promise.all(
      [cacheK, cacheV].map(async (cache) => {
        const data = Float32Array.from(await cache.data())
        const at = (slot: number, h: number, t: number) => ((slot * heads + h) * maxLength + t) * size
        for (let h = 0; h < heads; h++) {
          for (let t = 0; t < 2; t++) data.copyWithin(at(2, h, t), at(0, h, t), at(0, h, t) + size)
        }
        return Tensor.from(data, { shape: [slots, heads, maxLength, size] })
      }),
    )
    const want = await ops.attentionDecode(q, copied[0]!, copied[1]!, step).data()
    expect(Array.from(got)).toEqual(Array.from(want))
  })

  test('leaves no tensors behind', async () => {
    const [cacheK, cacheV, rows] = [cacheOf(2, 4), cacheOf(2, 4), normal([2, heads, size], 1)]
    const before = device().memory().tensors
    for (let t = 1; t <= 4; t++) {
      scope(() => {
        const step = ops.cacheRows([0, 1], [t, t])
        ops.kvCacheAppend(cacheK, cacheV, rows, rows, step)
        ops.attentionDecode(rows, cacheK, cacheV, step)
      })
    }
    await device().synchronize()
    expect(device().memory().tensors).toBe(before)
  })
})

describe('a NaN', () => {
  test('in a query stays in its row, also among rows that share a slot', async () => {
    const cache = normal([1, 1, 5, 4], 1)
    const q = fromFn([3, 1, 4], (i) => (i === 5 ? Number.NaN : 0.5))
    const rows = Tensor.from(q.data, { shape: q.shape, dtype: 'float32' })
    const o = await ops.attentionDecode(rows, cache, cache, ops.cacheRows([0, 0, 0], [5, 5, 5])).data()
    expect(Array.from(o, Number.isNaN)).toEqual(Array.from({ length: 12 }, (_, i) => i >= 4 && i < 8))
  })

  test('behind the length of a sequence is not seen', async () => {
    const cache = Tensor.from(
      Float32Array.from({ length: 12 }, (_, i) => (i < 8 ? i : Number.NaN)),
      {
        shape: [1, 1, 3, 4],
      },
    )
    const o = await ops.attentionDecode(Tensor.ones([1, 1, 4]), cache, cache, ops.cacheRows([0], [2])).data()
    expect(Array.from(o).every(Number.isFinite)).toBe(true)
  })
})

describe('wrong input', () => {
  const rows = (n: number) => Tensor.ones([n, heads, size])
  const one = ops.cacheRows([0], [1])
  const append = (step: ops.CacheRows, n = 1, cache = cacheOf(2, 4)) =>
    ops.kvCacheAppend(cache, cache, rows(n), rows(n), step)
  const decode = (step: ops.CacheRows, options: ops.AttentionDecodeOptions = {}, n = 1) =>
    ops.attentionDecode(rows(n), cacheOf(2, 4), cacheOf(2, 4), step, options)

  test.each([
    ['a slot beyond the cache', () => append(ops.cacheRows([2], [1])), IndexError],
    ['a negative slot', () => decode(ops.cacheRows([-1], [1])), IndexError],
    ['a full cache', () => append(ops.cacheRows([1], [5])), IndexError],
    ['a length below the new rows', () => append(ops.cacheRows([1], [1], [2]), 2), IndexError],
    ['a slot appended to twice', () => append(ops.cacheRows([1, 1], [1, 2]), 2), IndexError],
    ['a length beyond the cache', () => decode(ops.cacheRows([0], [5])), IndexError],
    ['rows that offsets do not cover', () => decode(one, {}, 2), ShapeError],
    [
      'offsets of other sequences',
      () => decode({ ...one, cuSeqlens: ops.cacheRows([0, 1], [1, 1], [1, 0]).cuSeqlens }),
      ShapeError,
    ],
    ['fewer lengths than slots', () => ops.cacheRows([0, 1], [1]), ShapeError],
    ['fewer counts than slots', () => ops.cacheRows([0, 1], [1, 1], [1]), ShapeError],
    ['a negative count', () => ops.cacheRows([0], [1], [-1]), ShapeError],
    ['a cache of other heads', () => append(one, 1, Tensor.zeros([2, 3, 4, size])), ShapeError],
    ['a 16-bit cache', () => append(one, 1, Tensor.zeros([2, heads, 4, size], { dtype: 'bfloat16' })), DTypeError],
    ['a cache of columns', () => append(one, 1, ops.transpose(Tensor.zeros([2, heads, size, 4]), 2, 3)), ShapeError],
    ['offsets without a host copy', () => decode({ ...one, slots: Tensor.from(Int32Array.of(0)) }), StateError],
    [
      'a slot table of another cache',
      () => decode(one, { slotTable: Tensor.zeros([2, 5], { dtype: 'int32' }) }),
      ShapeError,
    ],
    ['a bias table of other heads', () => decode(one, { biasTable: Tensor.ones([32, 3]) }), ShapeError],
    ['too few buckets', () => decode(one, { biasTable: Tensor.ones([2, heads]) }), ConfigError],
  ] as const)('%s is refused at the call', (_, run, expected) => expect(run).toThrow(expected))

  test('a refused append writes nothing', async () => {
    const cache = cacheOf(2, 4)
    expect(() => append(ops.cacheRows([0, 1], [1, 5]), 2, cache)).toThrow(
      'kvCacheAppend: expected lengths in [0, 5), got 5 at 1',
    )
    expect(Array.from(await cache.data()).every((x) => x === 0)).toBe(true)
  })

  test('a table that names no slot is an error at the next wait, within the length alone', async () => {
    const slotTable = Tensor.from(Int32Array.of(0, 0, 2, 0, 0, 0, 0, 0), { shape: [2, 4] })
    await expect(decode(ops.cacheRows([0], [2]), { slotTable }).data()).resolves.toHaveLength(heads * size)
    await expect(decode(ops.cacheRows([0], [3]), { slotTable }).data()).rejects.toThrow(IndexError)
    await expect(decode(one).data()).resolves.toHaveLength(heads * size)
  })

  test.each([
    ['slots before', { before: [0, 2] }, 'continueSlots: expected before in [0, 2), got 2 at 1'],
    ['rows', { rows: [-1, 0] }, 'continueSlots: expected rows in [0, 2), got -1 at 0'],
    ['slots', { slots: [1, 9] }, 'continueSlots: expected slots in [0, 2), got 9 at 1'],
    ['lengths', { lengths: [0, 5] }, 'continueSlots: expected lengths in [0, 5), got 5 at 1'],
  ])('%s beyond their range are an error at the next wait', async (_, wrong, message) => {
    const { before, rows, slots, lengths } = { before: [0, 1], rows: [0, 1], slots: [1, 0], lengths: [4, 4], ...wrong }
    const list = (values: readonly number[]) => Tensor.from(Int32Array.from(values))
    const table = Tensor.zeros([2, 4], { dtype: 'int32' })
    const y = ops.continueSlots(table, list(before), list(rows), list(slots), list(lengths))
    await expect(y.data()).rejects.toThrow(message)
  })

  test('the tape meets no gradient', () => {
    const leaf = normal([1, heads, size], 1, true)
    const cache = cacheOf(1, 4)
    expect(() => ops.attentionDecode(leaf, cache, cache, one)).toThrow(StateError)
    expect(() => ops.kvCacheAppend(cache, cache, leaf, leaf, one)).toThrow(StateError)
    const biasTable = normal([32, heads], 2, true)
    expect(() => ops.attentionDecode(leaf.detach(), cache, cache, one, { biasTable })).toThrow(StateError)
    noGrad(() => ops.attentionDecode(leaf, cache, cache, one, { biasTable }))
  })
})
