import { nonDifferentiable } from '../autograd/differentiable.ts'
import { ShapeError } from '../errors.ts'
import { keep } from '../scope.ts'
import { native, shapeText, type Tensor } from '../tensor.ts'
import { transpose } from './view.ts'

/** A weight with a copy whose rows are its columns: made when first used, and again after an in-place update. */
export class TransposedWeight implements Disposable {
  readonly #view: Tensor
  #copy: Tensor | null = null
  #version = -1

  /**
   * @param weight (N, K) float32, on the CPU.
   * @throws {ShapeError} if it is not a matrix.
   */
  constructor(weight: Tensor) {
    if (weight.shape.length !== 2) {
      throw new ShapeError(`TransposedWeight: expected weight (N, K), got ${shapeText(weight.shape)}`)
    }
    this.#view = keep(transpose(weight.detach(), 0, 1))
  }

  /** @internal (K, N), up to date with the weight. */
  get copy(): Tensor {
    const { version } = this.#view.contents
    if (!this.#copy || this.#version !== version) {
      this.#copy?.dispose()
      this.#copy = keep(native.cast(this.#view, { dtype: 'float32' }))
      this.#version = version
    }
    return this.#copy
  }

  /** Gives the copy's memory back. */
  [Symbol.dispose](): void {
    this.#copy?.dispose()
    this.#copy = null
    this.#view.dispose()
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
    native.sparseLinear(x, weight.copy, residual),
)
