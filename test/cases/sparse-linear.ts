import { ops } from '../../lib/index.ts'
import { fromFn, type NdArray } from '../reference/array.ts'
import type { Case } from './case.ts'

function product(x: NdArray, weight: NdArray, residual: NdArray | null): NdArray {
  const [rows, k] = x.shape as [number, number]
  const columns = weight.shape[0] as number
  return fromFn([rows, columns], (i) => {
    const [row, column] = [Math.floor(i / columns), i % columns]
    let sum = residual ? residual.data[i]! : 0
    for (let j = 0; j < k; j++) sum += x.data[row * k + j]! * weight.data[column * k + j]!
    return sum
  })
}

/** @param share of x that is not zero. */
function sparseCase([rows, columns, k]: [number, number, number], share: number, added: boolean): Case {
  return {
    name: `sparseLinear (${rows},${columns},${k}), ${share} of x${added ? ', residual' : ''}`,
    covers: ['sparseLinear'],
    inputs: {
      x: {
        shape: [rows, k],
        gradient: false,
        values: (_, random) => (random.uniform() < share ? random.normal() : 0),
      },
      weight: { shape: [columns, k], gradient: false },
      residual: { shape: [rows, columns], gradient: false },
    },
    sixteenBit: false,
    run: ({ x, weight, residual }) => {
      using transposed = new ops.TransposedWeight(weight!)
      return ops.sparseLinear(x!, transposed, { residual: added ? residual! : null })
    },
    reference: ({ x, weight, residual }) => [product(x!, weight!, added ? residual! : null)],
  }
}

// One weight, primes, around registers and items of every width, every number of rows in a pass, nothing at all.
const shapes: [number, number, number][] = [
  [1, 1, 1],
  [1, 7, 5],
  [1, 257, 33],
  [2, 130, 64],
  [3, 67, 19],
  [4, 64, 128],
  [5, 513, 17],
  [9, 300, 40],
  [0, 9, 4],
  [2, 5, 0],
]

export const sparseLinearCases: Case[] = [
  ...shapes.map((shape, i) => sparseCase(shape, 0.4, i % 2 === 0)),
  sparseCase([2, 100, 50], 0, true),
  sparseCase([3, 100, 50], 1, false),
]
