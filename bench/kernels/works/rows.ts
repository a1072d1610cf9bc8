// Rows of tables by their numbers, their gradients, and tensors end to end; reductions.
import { ops, Tensor } from '../../../lib/index.ts'
import { native } from '../../../lib/tensor.ts'
import { type FloatDType, float, integers, on, rows, type Work } from './work.ts'

const table = [1024, 768] as const
const tokens = 2048
const ids = () => integers([tokens], table[0])

export const embeddings = (dtype: FloatDType): Work[] => [
  {
    name: 'embedding',
    prepare: on(
      () => [float(table, dtype), ids()],
      (of, which) => native.embedding([of], [which]),
    ),
  },
  {
    name: 'embedding, backward',
    prepare: on(
      () => [float([tokens, table[1]], dtype), ids()],
      (dY, which) => native.scatterRows(dY, which, { rows: table[0] }),
    ),
  },
]

/** By the largest unit that rows are multiples of: 16 bytes, 4, 2 or 1. */
export const copiedRows: Work[] = (
  [
    ['float32', 768],
    ['float32', 767],
    ['bfloat16', 767],
    ['uint8', 767],
  ] as const
).flatMap(([dtype, columns]): Work[] => [
  {
    name: `rows of ${columns} ${dtype}`,
    prepare: on(
      () => [Tensor.full([table[0], columns], 1, { dtype }), ids()],
      (x, which) => native.gatherRows(x, which),
    ),
  },
  {
    name: `${columns} and ${columns} ${dtype} beside each other`,
    prepare: on(
      () => [Tensor.full([rows[0], columns], 1, { dtype })],
      (x) => native.concat([x, x], { axis: 1 }),
    ),
  },
])

export const reductions: Work[] = [
  {
    name: 'sum of rows',
    prepare: on(
      () => [float(rows)],
      (x) => ops.sum(x, { axes: [1] }),
    ),
  },
  {
    name: 'maximum of rows, backward',
    prepare: () => {
      const x = float(rows)
      const y = ops.max(x, { axes: [1] })
      const dY = float([rows[0]])
      return () => native.maxBwd(x, y, dY, { axes: 1 << 1 })
    },
  },
]
