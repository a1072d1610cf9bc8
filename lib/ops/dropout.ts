import { differentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'

/** Where an op draws its random numbers: the same four values drop the same elements, on every device. */
export interface DropoutOptions {
  /** Probability of zeroing an element, in steps of 1/65536. @default 0 */
  dropoutP?: number
  /** Of the run; an integer from 0 to 2^53 − 1. @default 0 */
  seed?: number
  /** Which module of the model draws; below 2^32. @default 0 */
  site?: number
  /** Step of the training; below 2^32. @default 0 */
  step?: number
}

/** @internal The options alone, as native ops take them. */
export function dropoutAttrs({ dropoutP = 0, seed = 0, site = 0, step = 0 }: DropoutOptions): Required<DropoutOptions> {
  return { dropoutP, seed, site, step }
}

/**
 * Zeroes elements with probability `dropoutP` and scales the others by 1/(1 − dropoutP). The mask is not stored: backward
 * draws it again from seed, site, step and the element's row and column (rows of the last dimension).
 *
 * @param x (…, D) float.
 * @throws {ConfigError} if an option is out of its range.
 * @see Srivastava et al. 2014, Dropout. https://jmlr.org/papers/v15/srivastava14a.html
 */
export const dropout = differentiable('dropout', {
  forward(ctx, x: Tensor, options: DropoutOptions) {
    const attrs = dropoutAttrs(options)
    ctx.remember({ attrs })
    return native.dropout(x, attrs)
  },
  backward(ctx, dY) {
    return [native.dropout(dY, ctx.remembered.attrs as Required<DropoutOptions>), null]
  },
})
