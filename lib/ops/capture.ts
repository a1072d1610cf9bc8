import { gradEnabled } from '../autograd/grad-mode.ts'
import { describe, ShapeError, StateError } from '../errors.ts'
import { addon, buffer } from '../native/load.ts'
import { scope } from '../scope.ts'
import { newContents, Tensor } from '../tensor.ts'

/** @internal What was recorded, and what its ops computed on the way. */
export interface Recorded {
  readonly capture: Capture
  readonly result: Tensor
}

/**
 * @internal Ops that are queued again by one call: what a decoder does for each token, or an encoder for texts of one length.
 * They run with the contents of some tensors exchanged; nothing else may differ, and no data may be read on the way.
 */
export class Capture implements Disposable {
  readonly #values: Int32Array
  #disposed = false

  private constructor(
    private readonly number: number,
    private readonly inputs: readonly Pick<Tensor, 'size' | 'dtype'>[],
    private readonly result: Pick<Tensor, 'shape' | 'dtype'> & { readonly device: number },
  ) {
    this.#values = new Int32Array(inputs.reduce((sum, { size, dtype }) => sum + (dtype === 'int32' ? size : 0), 0))
  }

  /**
   * Queues the ops a first time. What they would make once and keep, such as packed weights, must be there before: it would
   * be made again each time.
   *
   * @param inputs (…) dense, of one device, with host copies where ops ask for them. Nothing but the ops reads them: the
   *   capture disposes of them.
   * @param ops gives a dense tensor.
   * @throws {StateError} with a tape, or inside another capture.
   */
  static record(inputs: readonly [Tensor, ...Tensor[]], ops: () => Tensor): Recorded {
    if (gradEnabled()) throw new StateError('capture: expected no tape (use noGrad), got one')
    const { device } = inputs[0].contents
    addon.record(
      device,
      inputs.map(({ handle }) => handle),
    )
    let result: Tensor | null = null
    try {
      result = scope(ops)
      const number = addon.recorded(device, result.handle)
      const sizes = inputs.map(({ size, dtype }) => ({ size, dtype }))
      const { shape, dtype } = result
      return { capture: new Capture(number, sizes, { shape, dtype, device }), result }
    } catch (error) {
      if (result) result.dispose()
      else addon.recorded(device, 0)
      throw error
    } finally {
      for (const input of inputs) input.dispose()
    }
  }

  /**
   * Queues the ops again.
   *
   * @param given for each of the inputs as many values as it has, where it is int32; or a tensor whose contents it takes when
   *   its turn comes, where it has no host copy.
   * @returns what they compute.
   * @throws {ShapeError} for more or fewer.
   */
  replay(given: readonly (ArrayLike<number> | Tensor)[]): Tensor {
    let at = 0
    for (const [i, { size, dtype }] of this.inputs.entries()) {
      const input = given[i]
      const isTensor = input instanceof Tensor
      const count = isTensor ? input.size : input?.length
      if (count !== size) {
        throw new ShapeError(`capture: expected ${size} values for input ${i}, got ${count ?? describe(input)}`)
      }
      if (!isTensor && dtype === 'int32') this.#values.set(input as ArrayLike<number>, at)
      buffer[i] = isTensor ? input.handle : 0
      if (dtype === 'int32') at += size
    }
    const { shape, dtype, device } = this.result
    return new Tensor(addon.replay(this.number, this.#values), dtype, shape, newContents(device))
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    addon.closeCapture(this.number)
  }
}
