import { nonDifferentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'
import { WeightCopy } from './weight-copy.ts'

/** A weight (V, K), on the CPU, with a copy in 8 bits (a quarter of its size), and for each row a bound of how far that is from it. */
export class ScreenedWeight extends WeightCopy<{
  readonly codes: Tensor
  readonly scales: Tensor
  readonly bounds: Tensor
}> {
  /** @throws {ShapeError} if it is not a matrix. */
  constructor(weight: Tensor) {
    super(weight, '(V, K)', () => weight.detach())
  }

  protected make(weight: Tensor) {
    return native.screenWeight(weight)
  }
}

/**
 * Which row of the weight gives the largest product with each row of x, for few rows of x: as `argmax` of x·Wᵀ, without
 * reading all of W. The copy in 8 bits leaves a few rows that may be the largest, and only their products are computed.
 *
 * @param x (R, K) float, on the CPU.
 * @param weight (V, K), V > 0.
 * @param options.banned (B) int32 rows of the weight that must not be found. @default none
 * @returns (R) int32; of equal products the lowest id, and 0 if all are banned.
 * @throws {ShapeError} if shapes do not fit.
 * @throws {DeviceError} if it is not on the CPU.
 * @throws {IndexError} at the next wait, if a banned id is out of range.
 * @throws {DataError} at the next wait, if a product is NaN.
 */
export const linearArgmax = nonDifferentiable(
  'linearArgmax',
  (x: Tensor, weight: ScreenedWeight, { banned = null }: { banned?: Tensor | null } = {}): Tensor => {
    const { codes, scales, bounds } = weight.copy
    return native.linearArgmax(x, weight.weight, codes, scales, bounds, banned)
  },
)
