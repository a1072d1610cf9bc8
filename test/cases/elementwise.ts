import { ops } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { fromFn } from '../reference/array.ts'
import { type BinaryOp, binary, binaryGradient } from '../reference/elementwise.ts'
import type { Case, Input, Random } from './case.ts'

const shapes: [number[], number[]][] = [
  [[], []],
  [[1], [1]],
  [[7], [7]],
  [
    [3, 5, 17],
    [3, 5, 17],
  ],
  [[33, 65], [65]],
  [
    [4, 1, 6],
    [5, 1],
  ],
  [[0, 4], [4]],
  [
    [257, 129],
    [257, 129],
  ],
]

/** Central differences step over the pole of a division otherwise. */
function awayFromZero(_: number, random: Random): number {
  const x = random.normal()
  return x + Math.sign(x) * 0.5
}

function binaryCase(op: BinaryOp, a: Input, b: Input, name: string): Case {
  return {
    name: `${op} ${name}`,
    covers: ['binary', 'reduce'],
    inputs: { a, b: op === 'div' ? { ...b, values: awayFromZero } : b },
    run: (t) => ops[op](t.a!, t.b!),
    reference: (v, r) => [binary(op, v.a!, v.b!, r)],
    gradient: (v, [dY], r) => {
      const [da, db] = binaryGradient(op, v.a!, v.b!, dY!, r)
      return { a: da, b: db }
    },
  }
}

function scalarCase(op: BinaryOp, value: number): Case {
  const scalar = fromFn([], () => value)
  return {
    name: `${op} ${value}`,
    covers: ['affine'],
    inputs: { a: { shape: [3, 41], strided: true } },
    run: (t) => ops[op](t.a!, value),
    reference: (v, r) => [binary(op, v.a!, scalar, r)],
    gradient: (v, [dY], r) => ({ a: binaryGradient(op, v.a!, scalar, dY!, r)[0] }),
  }
}

export const elementwiseCases: Case[] = (['add', 'sub', 'mul', 'div'] as const)
  .flatMap((op) => [
    ...shapes.map(([a, b]) => binaryCase(op, { shape: a }, { shape: b }, `(${a}) (${b})`)),
    binaryCase(op, { shape: [9, 13], strided: true }, { shape: [9, 13] }, 'strided a'),
    {
      ...binaryCase(op, { shape: [9, 13], scale: 1e30 }, { shape: [9, 13], strided: 'rows' }, 'large, strided b'),
      centralDifferences: false as const,
    },
    scalarCase(op, 2.5),
  ])
  .concat([
    {
      ...binaryCase('add', { shape: [1 << 20] }, { shape: [1 << 20] }, 'bench'),
      flops: 1 << 20,
      bytes: 12 << 20,
    },
    {
      ...binaryCase('add', { shape: [4096, 512] }, { shape: [512] }, 'bench bias'),
      flops: 1 << 21,
      bytes: 8 << 21,
    },
  ])

/** Ops without a public function yet in front of them: in-place fill and accumulation, conversion. */
export const storageCases: Case[] = [
  {
    name: 'fill strided',
    covers: ['fill'],
    inputs: { x: { shape: [5, 7], strided: true, gradient: false } },
    run: (t) => {
      native.fill(t.x!, { value: 2.5 })
      return t.x!
    },
    reference: (v) => [fromFn(v.x!.shape, () => 2.5)],
  },
  {
    name: 'accumulate strided',
    covers: ['accumulate'],
    inputs: {
      x: { shape: [5, 37], strided: 'rows', gradient: false },
      y: { shape: [5, 37], strided: true, gradient: false },
    },
    run: (t) => {
      native.accumulate(t.x!, t.y!)
      return t.x!
    },
    reference: (v, r) => [fromFn(v.x!.shape, (i) => r(v.x!.data[i]! + v.y!.data[i]!))],
    sixteenBit: false,
  },
  {
    name: 'cast to the same dtype is a copy',
    covers: ['cast'],
    inputs: { x: { shape: [3, 5], dtype: 'int32', values: (i) => 2 ** 31 - 1 - i } },
    run: (t) => native.cast(t.x!, { dtype: 'int32' }),
    reference: (v) => [v.x!],
  },
  {
    name: 'cast to int8 saturates',
    covers: ['cast'],
    inputs: { x: { shape: [300], scale: 100, gradient: false } },
    run: (t) => native.cast(t.x!, { dtype: 'int8' }),
    reference: (v) => [fromFn([300], (i) => Math.trunc(Math.min(Math.max(v.x!.data[i]!, -128), 127)))],
  },
]
