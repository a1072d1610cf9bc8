import { differentiable } from '../autograd/differentiable.ts'
import * as ops from '../ops/index.ts'
import { native, type Tensor } from '../tensor.ts'

/** What products and attention read and give; they sum in float32 whatever it is. */
export type ComputeDType = 'float32' | 'bfloat16' | 'float16'

/** What all layers of a model look at when they compute; the model may change it from pass to pass. */
export interface Compute {
  dtype: ComputeDType
}

const convert = differentiable('convert', {
  forward(ctx, x: Tensor, dtype: ComputeDType) {
    ctx.remember({ dtype: x.dtype })
    return native.cast(x, { dtype })
  },
  backward(ctx, dY) {
    return [ops.cast(dY, ctx.remembered.dtype as ComputeDType), null]
  },
})

/** x in another dtype, and its gradient back in x's own, so that products backward are those of forward; x itself if it has it. */
export function inDType(x: Tensor, dtype: ComputeDType): Tensor {
  return x.dtype === dtype ? x : convert(x, dtype)
}
