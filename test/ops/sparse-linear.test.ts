import { describe, expect, test } from 'vitest'
import { noGrad, ops, ShapeError, scope, Tensor } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'

const times = (x: number[][], weight: number[][]) =>
  noGrad(() =>
    scope(() => {
      using transposed = new ops.TransposedWeight(Tensor.from(weight))
      return ops.sparseLinear(Tensor.from(x), transposed)
    }),
  )

describe('sparseLinear', () => {
  test.each([
    [[0, 2, 0], 2],
    [[0, 2, 1], Number.POSITIVE_INFINITY],
    [[1, 0, 0], Number.NaN],
    [[0, Number.NaN, 0], Number.NaN],
  ])('what is not finite counts where x is not zero, and nowhere else: %j', async (x, expected) => {
    using result = times([x], [[Number.NaN, 1, Number.POSITIVE_INFINITY]])
    expect([...(await result.data())]).toEqual([expected])
  })

  test('the copy follows the weight', async () => {
    using weight = Tensor.from([[1, 2]])
    using transposed = new ops.TransposedWeight(weight)
    using x = Tensor.from([[1, 0]])
    const first = async () => {
      using y = noGrad(() => ops.sparseLinear(x, transposed))
      return (await y.data())[0]
    }
    expect(await first()).toBe(1)
    scope(() => native.scale(weight, Tensor.from(3)))
    expect(await first()).toBe(3)
  })

  test('refuses', () => {
    expect(() => new ops.TransposedWeight(Tensor.from([1, 2]))).toThrow(ShapeError)
    expect(() => times([[1, 2]], [[1, 2, 3]])).toThrow('sparseLinear: expected b (2, N), got (3, 1)')
  })
})
