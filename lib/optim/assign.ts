import { ShapeError } from '../errors.ts'
import { native, shapeText, type Tensor } from '../tensor.ts'

/**
 * @internal Overwrites a float32 tensor in place, bit for bit.
 *
 * @throws {ShapeError} if the shapes differ.
 */
export function assign(target: Tensor, source: Tensor): void {
  if (shapeText(target.shape) !== shapeText(source.shape)) {
    throw new ShapeError(`assign: expected ${shapeText(target.shape)}, got ${shapeText(source.shape)}`)
  }
  // −0 is what any number can be added to without a change, −0 included.
  native.fill(target, { value: -0 })
  native.accumulate(target, source)
}
