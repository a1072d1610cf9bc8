// Element-wise work, norms, conversions.
import { Tensor } from '../../../lib/index.ts'
import { native } from '../../../lib/tensor.ts'
import { dropout, type FloatDType, float, gapped, on, rows, type Work } from './work.ts'

export const elementwise = (dtype: FloatDType): Work[] => [
  {
    name: 'add',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (a, b) => native.binary(a, b, { op: 'add' }),
    ),
  },
  {
    name: 'add of a row',
    prepare: on(
      () => [float(rows, dtype), float([768], dtype)],
      (a, b) => native.binary(a, b, { op: 'add' }),
    ),
  },
  {
    name: 'affine',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.affine(x, { scale: 2, shift: 1 }),
    ),
  },
  {
    name: 'accumulate',
    prepare: on(
      () => [float(rows), float(rows, dtype)],
      (x, y) => native.accumulate(x, y),
    ),
  },
  {
    name: 'accumulate, rows apart',
    prepare: on(
      () => [float(rows), gapped(rows, dtype)],
      (x, y) => native.accumulate(x, y),
    ),
  },
  {
    name: 'gelu',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.unary(x, { kind: 'geluErf' }),
    ),
  },
  {
    name: 'gelu, backward',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (x, d) => native.unaryBwd(x, d, { kind: 'geluErf' }),
    ),
  },
  {
    name: 'gated gelu',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (x, y) => native.gated(x, y, { kind: 'geluTanh' }),
    ),
  },
  {
    name: 'gated gelu, backward',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype), float(rows, dtype)],
      (x, y, d) => native.gatedBwd(x, y, d, { kind: 'geluTanh' }),
    ),
  },
  {
    name: 'dropout',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.dropout(x, dropout),
    ),
  },
  {
    name: 'softmax',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.softmax(x),
    ),
  },
  {
    name: 'softmax, backward',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (y, d) => native.softmaxBwd(y, d),
    ),
  },
]

/** More of them than blocks that run at the same time. */
const normRows = [3456, 768] as const
export const norms = (dtype: FloatDType): Work[] => [
  {
    name: 'RMSNorm',
    prepare: on(
      () => [float(normRows, dtype), float([768], dtype)],
      (x, weight) => native.rmsNorm(x, null, weight, { eps: 1e-6 }),
    ),
  },
  {
    name: 'LayerNorm of residual + dropout',
    prepare: on(
      () => [float(normRows, dtype), float(normRows, dtype), float([768], dtype), float([768], dtype)],
      (x, residual, weight, bias) => native.layerNorm(x, residual, weight, bias, { eps: 1e-12, ...dropout }),
    ),
  },
  {
    name: 'RMSNorm, backward',
    prepare: on(
      () => [float(normRows, dtype), float([768], dtype), float([normRows[0]]), float(normRows, dtype)],
      (h, weight, rstd, dY) => native.rmsNormBwd(h, weight, rstd, dY, null),
    ),
  },
  {
    name: 'LayerNorm, backward',
    prepare: on(
      () => [
        float(normRows, dtype),
        float([768], dtype),
        float([normRows[0]]),
        float([normRows[0]]),
        float(normRows, dtype),
      ],
      (h, weight, mean, rstd, dY) => native.layerNormBwd(h, weight, mean, rstd, dY, null),
    ),
  },
]

const storageTypes = ['float32', 'float16', 'bfloat16', 'int32', 'uint8', 'int8'] as const
export const casts: Work[] = storageTypes.flatMap((from) =>
  storageTypes.map(
    (to): Work => ({
      name: `${from} to ${to}`,
      prepare: () => {
        const x = Tensor.full(rows, 1, { dtype: from })
        // The same type, dense, is a copy of the driver's; transposed it is a kernel's.
        const view = from === to ? x.view([768, 256], [1, 768], 0) : x
        return () => native.cast(view, { dtype: to })
      },
    }),
  ),
)
export const fills: Work[] = (['float32', 'bfloat16', 'uint8'] as const).map((dtype) => ({
  name: `fill ${dtype}`,
  prepare: on(
    () => [Tensor.empty(rows, { dtype })],
    (x) => native.fill(x, { value: 1 }),
  ),
}))

export const scaling: Work = {
  name: 'scale',
  prepare: on(
    () => [float(rows), float([])],
    (x, by) => native.scale(x, by),
  ),
}
