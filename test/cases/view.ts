import { ops, type Tensor } from '../../lib/index.ts'
import { fromFn, type NdArray, unravel, zeros } from '../reference/array.ts'
import type { Case, Input } from './case.ts'

/** A view as a map: which element of x each element of y is. The gradient adds along it. */
function viewCase(
  name: string,
  x: Input,
  run: (x: Tensor) => Tensor,
  shape: readonly number[],
  source: (index: number[], i: number) => number,
): Case {
  const map = (y: NdArray) => Array.from(y.data, (_, i) => source(unravel(i, shape), i))
  return {
    name,
    covers: [],
    inputs: { x },
    run: (t) => run(t.x!),
    reference: (v) => [fromFn(shape, (i) => v.x!.data[source(unravel(i, shape), i)]!)],
    gradient: (v, [dY]) => {
      const dX = zeros(v.x!.shape)
      for (const [i, from] of map(dY!).entries()) dX.data[from]! += dY!.data[i]!
      return { x: dX }
    },
  }
}

const x: Input = { shape: [4, 5, 6] }

export const viewCases: Case[] = [x, { ...x, strided: true }].flatMap((input) => {
  const title = (name: string) => `${name}${input.strided ? ' strided' : ''}`
  return [
    viewCase(
      title('reshape'),
      input,
      (t) => ops.reshape(t, [10, -1]),
      [10, 12],
      (_, i) => i,
    ),
    viewCase(
      title('contiguous'),
      input,
      (t) => ops.contiguous(t),
      [4, 5, 6],
      (_, i) => i,
    ),
    viewCase(
      title('permute'),
      input,
      (t) => ops.permute(t, [2, 0, -2]),
      [6, 4, 5],
      ([c, a, b]) => (a! * 5 + b!) * 6 + c!,
    ),
    viewCase(
      title('transpose'),
      input,
      (t) => ops.transpose(t, 0, 1),
      [5, 4, 6],
      ([b, a, c]) => (a! * 5 + b!) * 6 + c!,
    ),
    viewCase(
      title('transpose then reshape'),
      input,
      (t) => ops.reshape(ops.transpose(t, 1, 2), [24, 5]),
      [24, 5],
      ([ac, b]) => (Math.floor(ac! / 6) * 5 + b!) * 6 + (ac! % 6),
    ),
    viewCase(
      title('slice'),
      input,
      (t) => ops.slice(t, 1, 1, 4),
      [4, 3, 6],
      ([a, b, c]) => (a! * 5 + b! + 1) * 6 + c!,
    ),
    viewCase(
      title('slice to the end'),
      input,
      (t) => ops.slice(t, -1, 2),
      [4, 5, 4],
      ([a, b, c]) => (a! * 5 + b!) * 6 + c! + 2,
    ),
    viewCase(
      title('empty slice'),
      input,
      (t) => ops.slice(t, 0, 2, 2),
      [0, 5, 6],
      (_, i) => i,
    ),
    viewCase(
      title('select'),
      input,
      (t) => ops.select(t, 1, 3),
      [4, 6],
      ([a, c]) => (a! * 5 + 3) * 6 + c!,
    ),
  ]
})
