import { differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'

function softmaxOp(name: string, log: boolean): (x: Tensor) => Tensor {
  return differentiable(name, {
    forward(ctx, x: Tensor) {
      const y = native.softmax(x, { log })
      ctx.save({ y })
      return y
    },
    backward(ctx, dY) {
      return [native.softmaxBwd(ctx.saved.y!, dY, { log })]
    },
  })
}

/** Softmax over the last dimension of (…, V). A row of −∞ alone gives zeros, and no gradient. */
export const softmax = softmaxOp('softmax', false)

/** Natural logarithm of softmax over the last dimension of (…, V). A row of −∞ alone stays −∞, and gets no gradient. */
export const logSoftmax = softmaxOp('logSoftmax', true)
