// What the op suite does not ask of attention on a device: the same bits from run to run, bad indices, what gradients of a
// bias sum to.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IndexError, ops, runtimeInfo, setDefaultDevice, Tensor } from '../../lib/index.ts'
import { randomOf } from '../harness.ts'
import { fromFn } from '../reference/array.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: attention on a GPU (${problem})`)

function normal(shape: readonly number[], seed: number, dtype: 'float32' | 'bfloat16', requiresGrad = true): Tensor {
  const random = randomOf(seed)
  return Tensor.from(Float32Array.from(fromFn(shape, () => random.normal()).data), { shape, dtype, requiresGrad })
}

const offsets = (...values: number[]) => Tensor.fromWithHostCopy(Int32Array.from(values))
const ids = (...values: number[]) => Tensor.from(Int32Array.from(values), { dtype: 'int32' })

/** Output and gradients of two sequences of 150 and 50 rows. */
async function run(dtype: 'float32' | 'bfloat16'): Promise<Record<string, Float32Array>> {
  const shape = [200, 2, 64]
  const [q, k, v] = [normal(shape, 1, dtype), normal(shape, 2, dtype), normal(shape, 3, dtype)]
  const table = normal([32, 2], 4, dtype)
  const dropout = { dropoutP: 0.1, seed: 5, site: 6, step: 7 }
  const o = ops.attention(q, k, v, { cuSeqlens: offsets(0, 150, 200), biasTable: table, scale: 0.2, ...dropout })
  o.backward(normal(shape, 8, dtype, false))
  const results = { o, dQ: q.grad!, dK: k.grad!, dV: v.grad!, dTable: table.grad! }
  const data: Record<string, Float32Array> = {}
  for (const [name, tensor] of Object.entries(results)) data[name] = (await tensor.data()) as Float32Array
  return data
}

describe.skipIf(devices.length === 0)('attention on a GPU', () => {
  beforeAll(() => setDefaultDevice('cuda'))
  afterAll(() => setDefaultDevice('cpu'))

  test.each(['float32', 'bfloat16'] as const)('%s: the same bits twice', async (dtype) => {
    expect(await run(dtype)).toEqual(await run(dtype))
  })

  test.each([
    ['float32', 1e-5],
    ['bfloat16', 2 ** -8],
  ] as const)('%s: the gradient of the table sums to zero over the buckets of each head', async (dtype, unit) => {
    const { dTable } = await run(dtype)
    for (let h = 0; h < 2; h++) {
      const column = Array.from({ length: 32 }, (_, i) => dTable![i * 2 + h] as number)
      const size = column.reduce((sum, x) => sum + Math.abs(x), 0)
      expect(Math.abs(column.reduce((sum, x) => sum + x, 0))).toBeLessThan(unit * size)
    }
  })

  test('a position beyond 2^20 is an error that says which', async () => {
    const x = normal([2, 1, 8], 1, 'float32', false)
    const o = ops.attention(x, x, x, { positions: ids(0, 1 << 20), keyPositions: ids(0, 1) })
    await expect(o.data()).rejects.toThrow(IndexError)
  })

  test('a slot beyond the cache is an error that says which', async () => {
    const cache = normal([2, 1, 4, 8], 1, 'float32', false)
    const q = normal([1, 1, 8], 2, 'float32', false)
    const slotTable = Tensor.from(Int32Array.of(0, 7, 0, 0, 0, 0, 0, 0), { shape: [2, 4], dtype: 'int32' })
    const o = ops.attentionDecode(q, cache, cache, ops.cacheRows([0], [3], [1]), { slotTable })
    await expect(o.data()).rejects.toThrow('expected an index in [0, 2), got 7')
  })

  test('slots that continue none are an error that says which', async () => {
    const table = Tensor.zeros([2, 4], { dtype: 'int32' })
    const y = ops.continueSlots(table, ids(0, 1), ids(1, 5), ids(1, 0), ids(4, 4))
    await expect(y.data()).rejects.toThrow('expected an index in [0, 2), got 5')
  })

  test('keys of a long cache are cut into ranges and joined', async () => {
    const q = normal([3, 1, 20], 1, 'float32', false)
    const [keys, values] = [normal([1, 1, 700, 20], 2, 'float32', false), normal([1, 1, 700, 20], 3, 'float32', false)]
    const rows = ops.cacheRows([0], [700], [3])
    const got = await ops.attentionDecode(q, keys, values, rows, { causal: true }).data()
    const dense = (x: Tensor) => x.view([700, 1, 20], [20, 20, 1], 0)
    const want = await ops
      .attention(q, dense(keys), dense(values), {
        cuSeqlens: offsets(0, 3),
        keyCuSeqlens: offsets(0, 700),
        causal: true,
      })
      .data()
    for (let i = 0; i < want.length; i++) expect(got[i]).toBeCloseTo(want[i] as number, 5)
  })
})
