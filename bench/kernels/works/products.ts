// Products of matrices, and what their epilogues need in the backward.
import { native } from '../../../lib/tensor.ts'
import { dropout, type FloatDType, float, on, type Work } from './work.ts'

/** Products that the planner gives to each tile: enough blocks for it to be the fastest of 108 multiprocessors. */
const tiles = { Wide: [1408, 1280], Standard: [1408, 640], Small: [320, 256] } as const

export const products = (dtype: FloatDType): Work[] =>
  Object.entries(tiles).flatMap(([tile, [m, n]]) =>
    (['NN', 'NT', 'TN', 'TT'] as const).map(
      (layout): Work => ({
        name: `${tile} ${m} × ${n} × 512 ${layout}`,
        prepare: () => {
          const k = 512
          const lines = (r: number, c: number, transposed: boolean) =>
            transposed ? float([c, r], dtype).view([r, c], [1, r], 0) : float([r, c], dtype)
          const [a, b] = [lines(m, k, layout[0] === 'T'), lines(k, n, layout[1] === 'T')]
          return () => native.gemm(a, b, null, null, null, null, null)
        },
      }),
    ),
  )

export const passes = (dtype: FloatDType): Work[] => [
  {
    name: '64 × 64 × 8192, in ranges of k',
    prepare: on(
      () => [float([64, 8192], dtype), float([8192, 64], dtype)],
      (a, b) => native.gemm(a, b, null, null, null, null, null),
    ),
  },
  {
    name: 'product, backward of bias, gelu and dropout',
    prepare: on(
      () => [float([256, 1024], dtype), float([256, 1024], dtype)],
      (dy, z) => native.gemmEpilogueBwd(dy, z, null, { biasGrad: true, act: 'geluTanh', ...dropout }),
    ),
  },
]

export const exactProducts: Work[] = [
  ...[{}, { tf32: true as const }].map(
    (precision): Work => ({
      name: '256 × 256 × 512',
      ...precision,
      prepare: on(
        () => [float([256, 512]), float([512, 256])],
        (a, b) => native.gemm(a, b, null, null, null, null, null),
      ),
    }),
  ),
  {
    name: 'odd rows of 16 bits',
    prepare: on(
      () => [float([128, 99], 'bfloat16'), float([99, 128], 'bfloat16')],
      (a, b) => native.gemm(a, b, null, null, null, null, null),
    ),
  },
]
