import { nonDifferentiable } from '../autograd/differentiable.ts'
import { ShapeError } from '../errors.ts'
import { keep } from '../scope.ts'
import { native, shapeText, type Tensor } from '../tensor.ts'

/** What `screenWeight` makes of a weight. */
interface Screen {
  readonly codes: Tensor
  readonly scales: Tensor
  readonly bounds: Tensor
}

/**
 * A weight with a copy in 8 bits (a quarter of its size), and for each row a bound of how far that is from it: made when
 * first used, and again after an in-place update.
 */
export class ScreenedWeight implements Disposable {
  readonly #weight: Tensor
  #screen: Screen | null = null
  #version = -1

  /**
   * @param weight (V, K) float, on the CPU.
   * @throws {ShapeError} if it is not a matrix.
   */
  constructor(weight: Tensor) {
    if (weight.shape.length !== 2) {
      throw new ShapeError(`ScreenedWeight: expected weight (V, K), got ${shapeText(weight.shape)}`)
    }
    this.#weight = keep(weight.detach())
  }

  /** @internal */
  get weight(): Tensor {
    return this.#weight
  }

  /** @internal Up to date with the weight. */
  get screen(): Screen {
    const { version } = this.#weight.contents
    if (!this.#screen || this.#version !== version) {
      this.#dropScreen()
      const { codes, scales, bounds } = native.screenWeight(this.#weight)
      this.#screen = { codes: keep(codes), scales: keep(scales), bounds: keep(bounds) }
      this.#version = version
    }
    return this.#screen
  }

  #dropScreen(): void {
    for (const tensor of Object.values<Tensor>({ ...this.#screen })) tensor.dispose()
    this.#screen = null
  }

  /** Gives the copy's memory back. */
  [Symbol.dispose](): void {
    this.#dropScreen()
    this.#weight.dispose()
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
    const { codes, scales, bounds } = weight.screen
    return native.linearArgmax(x, weight.weight, codes, scales, bounds, banned)
  },
)
