import { ops } from '../../lib/index.ts'
import { fromFn, type NdArray } from '../reference/array.ts'
import * as reference from '../reference/sampling.ts'
import type { Case, Input } from './case.ts'

/** Ids of the largest products, by all of them. */
function best(x: NdArray, weight: NdArray, banned: ArrayLike<number>): NdArray {
  const [rows, k] = x.shape as [number, number]
  const tokens = weight.shape[0] as number
  const logits = fromFn([rows, tokens], (i) => {
    const [row, token] = [Math.floor(i / tokens), i % tokens]
    let sum = 0
    for (let j = 0; j < k; j++) sum += x.data[row * k + j]! * weight.data[token * k + j]!
    return Array.prototype.includes.call(banned, token) ? -Infinity : sum
  })
  const [, ids] = reference.topK(logits, 1)
  return fromFn([rows], (i) => ids.data[i]!)
}

function argmaxCase(kind: string, [rows, tokens, k]: [number, number, number], more: Partial<Input> = {}): Case {
  return {
    name: `linearArgmax ${kind} (${rows},${tokens},${k})`,
    covers: ['linearArgmax', 'screenWeight'],
    inputs: {
      x: { shape: [rows, k], gradient: false },
      weight: { shape: [tokens, k], gradient: false, ...more },
      banned: { shape: [3], dtype: 'int32', values: (i) => (i * 5) % tokens },
    },
    sixteenBit: false,
    run: ({ x, weight, banned }) => {
      using screened = new ops.ScreenedWeight(weight!)
      return ops.linearArgmax(x!, screened, { banned: tokens > 5 ? banned! : null })
    },
    reference: ({ x, weight, banned }) => [best(x!, weight!, tokens > 5 ? banned!.data : [])],
  }
}

// One weight, primes, around a vector of every width, more than a block of tokens, no rows, most rows.
const shapes: [number, number, number][] = [
  [1, 1, 1],
  [3, 7, 5],
  [2, 513, 17],
  [5, 1031, 64],
  [0, 9, 4],
  [16, 600, 33],
  [1, 2048, 128],
]

export const linearArgmaxCases: Case[] = [
  ...shapes.map((shape) => argmaxCase('normal', shape)),
  argmaxCase('equal rows', [4, 600, 16], { values: (i) => Math.sin((Math.floor(i / 16) % 7) * 16 + (i % 16)) }),
  argmaxCase('outliers', [4, 600, 16], { values: (i, random) => random.normal() * (i % 37 === 0 ? 1000 : 1) }),
  argmaxCase('large', [4, 600, 16], { scale: 1e15 }),
  argmaxCase('small', [4, 600, 16], { scale: 1e-15 }),
]
