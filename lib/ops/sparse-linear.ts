import { nonDifferentiable } from '../autograd/differentiable.ts'
import { native, type Tensor } from '../tensor.ts'
import { transpose } from './view.ts'
import { WeightCopy } from './weight-copy.ts'

/** A weight (N, K) float32, on the CPU, with a copy whose rows are its columns. */
export class TransposedWeight extends WeightCopy<{ readonly columns: Tensor }> {
  /** @throws {ShapeError} if it is not a matrix. */
  constructor(weight: Tensor) {
    super(weight, '(N, K)', () => transpose(weight.detach(), 0, 1))
  }

  protected make(weight: Tensor) {
    return { columns: native.cast(weight, { dtype: 'float32' }) }
  }
}

/**
 * x·Wᵀ + residual for few rows of x that are zero in many places, as after ReLU: columns of W that zeros alone would
 * multiply are not read, and count as nothing even where they are not finite.
 *
 * @param x (R, K) float32, on the CPU.
 * @param weight (N, K).
 * @param options.residual (R, N) float32. @default none
 * @returns (R, N) float32.
 * @throws {ShapeError} if shapes do not fit.
 * @throws {DeviceError} if it is not on the CPU.
 */
export const sparseLinear = nonDifferentiable(
  'sparseLinear',
  (x: Tensor, weight: TransposedWeight, { residual = null }: { residual?: Tensor | null } = {}): Tensor =>
    native.sparseLinear(x, weight.copy.columns, residual),
)
