import { ShapeError } from '../errors.ts'
import { keep } from '../scope.ts'
import { shapeText, type Tensor } from '../tensor.ts'

/** Base of weights that ops read in another form: a copy, made when it is first used and again after an in-place update. */
export abstract class WeightCopy<C extends Readonly<Record<string, Tensor>>> implements Disposable {
  /** @internal The matrix that the copy is of. */
  readonly weight: Tensor
  #copy: C | null = null
  #version = -1

  /**
   * @param weight a matrix; `dims` names its dimensions.
   * @param view what of it is copied.
   * @throws {ShapeError} if it is not a matrix.
   */
  protected constructor(weight: Tensor, dims: string, view: () => Tensor) {
    if (weight.shape.length !== 2) {
      throw new ShapeError(`${this.constructor.name}: expected weight ${dims}, got ${shapeText(weight.shape)}`)
    }
    this.weight = keep(view())
  }

  protected abstract make(weight: Tensor): C

  /** @internal Up to date with the weight. */
  get copy(): C {
    const { version } = this.weight.contents
    if (!this.#copy || this.#version !== version) {
      this.#drop()
      this.#copy = this.make(this.weight)
      for (const tensor of Object.values(this.#copy)) keep(tensor)
      this.#version = version
    }
    return this.#copy
  }

  #drop(): void {
    for (const tensor of Object.values(this.#copy ?? {})) tensor.dispose()
    this.#copy = null
  }

  /** Gives the copy's memory back. */
  dispose(): void {
    this.#drop()
    this.weight.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
