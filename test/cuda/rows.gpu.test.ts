// Scattered rows on a device: sums across tiles of the sort and parts of the order, hot targets, what is left out and what is
// refused; and that all is as before afterwards.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { device, IndexError, runtimeInfo, setDefaultDevice, Tensor } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { randomOf } from '../harness.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: moving rows on a GPU (${problem})`)

describe.skipIf(devices.length === 0)('on a GPU', () => {
  beforeAll(() => setDefaultDevice('cuda'))
  afterAll(() => setDefaultDevice('cpu'))

  // Fewer than a part, several tiles; targets of one digit and of two.
  test.each([
    [100, 3, 5],
    [1024, 300, 8],
    [3100, 70_000, 6],
  ])('scatterRows of %d rows to %d, %d columns', async (count, rows, columns) => {
    const random = randomOf(count)
    // Small whole numbers, whose sums are exact in any order; four in ten go to one target.
    const x = Float32Array.from({ length: count * columns }, () => random.integer(17) - 8)
    const ids = Int32Array.from({ length: count }, () => (random.integer(10) < 4 ? rows - 1 : random.integer(rows)))
    const skip = ids[7] as number
    const expected = new Float32Array(rows * columns)
    ids.forEach((id, i) => {
      for (let c = 0; id !== skip && c < columns; c++) expected[id * columns + c]! += x[i * columns + c]!
    })
    const input = Tensor.from(x, { shape: [count, columns] })
    const y = native.scatterRows(input, Tensor.from(ids), { rows, skip })
    expect(await y.data()).toEqual(expected)
  })

  test('sums have one order', async () => {
    const random = randomOf(5)
    const x = Tensor.from(
      Float32Array.from({ length: 2000 * 4 }, () => random.normal()),
      { shape: [2000, 4] },
    )
    const ids = Tensor.from(Int32Array.from({ length: 2000 }, () => random.integer(3)))
    const run = () => native.scatterRows(x, ids, { rows: 3 }).data()
    expect(await run()).toEqual(await run())
  })

  test('indices out of range are refused, and nothing else is', async () => {
    const table = Tensor.from(Float32Array.from({ length: 12 }, (_, i) => i))
    const x = table.view([3, 4], [4, 1], 0)
    const runs: readonly [string, number, () => unknown][] = [
      ['embedding', 3, () => native.embedding([x], [Tensor.from([0, 3], { dtype: 'int32' })])],
      ['gatherRows', 3, () => native.gatherRows(x, Tensor.from([0, -1, 2], { dtype: 'int32' }))],
      ['scatterRows', 2, () => native.scatterRows(x, Tensor.from([0, 2, 1], { dtype: 'int32' }), { rows: 2 })],
    ]
    for (const [op, limit, run] of runs) {
      run()
      await expect(device('cuda').synchronize()).rejects.toThrow(IndexError)
      run()
      await expect(device('cuda').synchronize()).rejects.toThrow(`${op}: expected an index in [0, ${limit})`)
    }
    const y = native.gatherRows(x, Tensor.from([2, 0], { dtype: 'int32' }))
    expect([...(await y.data())]).toEqual([8, 9, 10, 11, 0, 1, 2, 3])
  })
})
