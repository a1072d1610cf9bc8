import { describe, expect, test } from 'vitest'
import { DataError, IndexError, ops, ShapeError, setThreads, Tensor } from '../../lib/index.ts'
import { assign } from '../../lib/optim/assign.ts'
import { randomOf } from '../harness.ts'

const [tokens, k] = [1200, 96]

function normals(seed: number, count: number, scale = 1): Float32Array {
  const random = randomOf(seed)
  return Float32Array.from({ length: count }, () => random.normal() * scale)
}

const matrix = (data: Float32Array, rows: number) => Tensor.from(data, { shape: [rows, data.length / rows] })
const found = async (x: Tensor, weight: Tensor, banned: readonly number[] = []) => {
  using screened = new ops.ScreenedWeight(weight)
  const options = banned.length > 0 ? { banned: Tensor.from(Int32Array.from(banned)) } : {}
  return [...(await ops.linearArgmax(x, screened, options).data())]
}
const byLogits = async (x: Tensor, weight: Tensor) => [...(await ops.argmax(ops.linear(x, weight)).data())]

describe('the screen', () => {
  // Rows of every size, one of zeros, one of a single weight.
  const scales = [1, 1e-3, 1e3, 1e-12, 1e-16, 1e-25, 1e15, 0]
  const data = normals(1, scales.length * k).map((value, i) => value * (scales[Math.floor(i / k)] as number))
  data.fill(0, 2 * k + 1, 3 * k)

  test.each(['float32', 'float16', 'bfloat16'] as const)(
    'bounds how far codes are from a weight in %s',
    async (dtype) => {
      const weight = ops.cast(
        matrix(
          data.map((value) => (Math.abs(value) > 6e4 ? 1 : value)),
          scales.length,
        ),
        dtype,
      )
      using screened = new ops.ScreenedWeight(weight)
      const { codes, scales: steps, bounds } = screened.copy
      const [w, c, s, b] = await Promise.all([weight, codes, steps, bounds].map((tensor) => tensor.data()))
      for (let row = 0; row < scales.length; row++) {
        let [errors, squares] = [0, 0]
        for (let j = row * k; j < (row + 1) * k; j++) {
          errors += (w![j]! - s![row]! * c![j]!) ** 2
          squares += w![j]! ** 2
        }
        const [error, norm] = [Math.sqrt(errors), Math.sqrt(squares)]
        expect(b![row]).toBeGreaterThanOrEqual(error + k * 2 ** -23 * norm)
        // Useful, too: eight bits, unless the row is so small that nothing is lost by looking at it.
        const small = Math.max(...Array.from(w!.slice(row * k, (row + 1) * k), Math.abs)) < 1e-12
        if (!small) expect(b![row]).toBeLessThan(1.001 * error + 1e-4 * norm)
        if (!small) expect(error).toBeLessThanOrEqual((0.51 * Math.sqrt(k) * norm) / 127)
      }
    },
  )

  test('says nothing of rows that are not finite, or whose square is not', async () => {
    const weight = matrix(Float32Array.of(1, 2, Number.POSITIVE_INFINITY, 0, Number.NaN, 1, 1e30, 1), 4)
    using screened = new ops.ScreenedWeight(weight)
    const { bounds } = screened.copy
    expect([...(await bounds.data())].map(Number.isFinite)).toEqual([true, false, false, false])
  })
})

test('rows that differ by less than a code are told apart as all logits tell them', async () => {
  const base = normals(2, k)
  const noise = normals(3, tokens * k, 1e-5)
  const weight = matrix(
    noise.map((value, i) => value + (base[i % k] as number)),
    tokens,
  )
  for (const rows of [1, 3, 5]) {
    const x = matrix(normals(4 + rows, rows * k), rows)
    expect(await found(x, weight)).toEqual(await byLogits(x, weight))
    expect(await found(x, ops.cast(weight, 'bfloat16'))).toEqual(await byLogits(x, ops.cast(weight, 'bfloat16')))
  }
})

test('finds the same on one thread and on two', async () => {
  const weight = matrix(normals(5, tokens * k), tokens)
  const x = matrix(normals(6, 7 * k), 7)
  setThreads(1)
  const one = await found(x, weight)
  setThreads(2)
  expect(await found(x, weight)).toEqual(one)
})

test('banned rows are not found, though they be the best, and 0 is where all are', async () => {
  const weight = matrix(normals(7, tokens * k), tokens)
  const x = matrix(normals(8, 2 * k), 2)
  const best = await found(x, weight)
  const second = await found(x, weight, best)
  expect(second.some((id) => best.includes(id))).toBe(false)
  const logits = ops.banTokens(ops.linear(x, weight), Tensor.from(Int32Array.from(best)))
  expect(second).toEqual([...(await ops.argmax(logits).data())])
  const all = Array.from({ length: tokens }, (_, i) => i)
  expect(await found(x, weight, all)).toEqual([0, 0])
})

test('sees an update of the weight', async () => {
  const weight = Tensor.from(normals(9, tokens * k), { shape: [tokens, k] })
  const x = matrix(normals(10, k), 1)
  using screened = new ops.ScreenedWeight(weight)
  const [before] = await ops.linearArgmax(x, screened).data()
  assign(weight, matrix(normals(9, tokens * k, -1), tokens))
  const [after] = await ops.linearArgmax(x, screened).data()
  expect([after]).toEqual(await byLogits(x, weight))
  expect(after).not.toBe(before)
})

describe('refusals', () => {
  const weight = matrix(normals(11, tokens * k), tokens)
  const x = matrix(normals(12, k), 1)

  test('numbers that are none', async () => {
    const broken = normals(12, k)
    broken[3] = Number.NaN
    await expect(found(matrix(broken, 1), weight)).rejects.toThrow(
      /linearArgmax: expected logits without NaN, got others at row 0/,
    )
    const data = normals(11, tokens * k)
    data[700 * k] = Number.NaN
    await expect(found(x, matrix(data, tokens))).rejects.toThrow(DataError)
  })

  test('an infinite logit is the largest', async () => {
    const data = normals(11, tokens * k)
    data[700 * k] = Math.sign((await x.data())[0] as number) * Number.POSITIVE_INFINITY
    expect(await found(x, matrix(data, tokens))).toEqual([700])
  })

  test('ids and shapes', async () => {
    await expect(found(x, weight, [-1])).rejects.toThrow(IndexError)
    await expect(found(x, weight, [3, tokens])).rejects.toThrow(
      /linearArgmax: expected banned in \[0, 1200\), got 1200 at 1/,
    )
    expect(() => new ops.ScreenedWeight(Tensor.from(new Float32Array(4)))).toThrow(ShapeError)
    await expect(found(matrix(normals(1, k + 1), 1), weight)).rejects.toThrow(ShapeError)
    await expect(found(x, Tensor.zeros([0, k]))).rejects.toThrow(ShapeError)
  })
})
