import { differentiable } from '../autograd/differentiable.ts'
import type { DType } from '../dtype.ts'
import { native, type Tensor } from '../tensor.ts'

/** The same elements, row-major, in memory of their own. */
export const clone = differentiable('clone', {
  forward: (_, x: Tensor) => native.cast(x, { dtype: x.dtype }),
  backward: (_, dY) => [dY],
})

/**
 * x with its elements in another dtype: floats are rounded to nearest even, to integers they are cut off and saturate.
 * x itself where it has that dtype already. The gradient passes through as it is.
 */
export const cast = differentiable('cast', {
  forward: (_, x: Tensor, dtype: DType) => (x.dtype === dtype ? x : native.cast(x, { dtype })),
  backward: (_, dY) => [dY, null],
})
