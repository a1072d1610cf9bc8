import { gradEnabled } from '../autograd/grad-mode.ts'
import { describe, ShapeError, StateError } from '../errors.ts'
import { addon, buffer } from '../native/load.ts'
import { keep, scope } from '../scope.ts'
import { Tensor } from '../tensor.ts'

/**
 * @internal Ops that are queued again by one call, over the same tensors: what a decoder does for each token. They run with
 * the values of some int32 tensors exchanged; nothing else may differ, and no data may be read on the way.
 */
export class Capture<T extends Tensor> implements Disposable {
  /** What the ops compute, overwritten each time. What is queued before that reads what was there. */
  readonly result: T
  readonly #number: number
  readonly #sizes: readonly number[]
  readonly #values: Int32Array
  #disposed = false

  /**
   * Queues the ops a first time. What they would make once and keep, such as packed weights, must be there before: it would
   * be made again each time.
   *
   * @param inputs (…) int32, of one device; those that ops ask host copies of have them.
   * @throws {StateError} with a tape, or inside another capture.
   */
  constructor(
    private readonly inputs: readonly [Tensor, ...Tensor[]],
    ops: () => T,
  ) {
    if (gradEnabled()) throw new StateError('capture: expected no tape (use noGrad), got one')
    this.#sizes = inputs.map(({ size }) => size)
    this.#values = new Int32Array(this.#sizes.reduce((a, b) => a + b))
    const { result, number } = recorded(inputs, ops)
    this.result = result
    this.#number = number
    for (const input of inputs) keep(input)
  }

  /**
   * Queues the ops again.
   *
   * @param values for each of the inputs, as many as it has; or a tensor whose contents it takes when its turn comes, for an
   *   input without a host copy.
   * @throws {ShapeError} for more or fewer.
   */
  replay(values: readonly (ArrayLike<number> | Tensor)[]): T {
    let at = 0
    for (const [i, size] of this.#sizes.entries()) {
      const given = values[i]
      const isTensor = given instanceof Tensor
      const count = isTensor ? given.size : given?.length
      if (count !== size) {
        throw new ShapeError(`capture: expected ${size} values for input ${i}, got ${count ?? describe(given)}`)
      }
      if (!isTensor) this.#values.set(given as ArrayLike<number>, at)
      buffer[i] = isTensor ? given.handle : 0
      at += size
    }
    addon.replay(this.#number, this.#values)
    return this.result
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    addon.closeCapture(this.#number)
    this.result.dispose()
    for (const input of this.inputs) input.dispose()
  }
}

function recorded<T extends Tensor>(
  inputs: readonly [Tensor, ...Tensor[]],
  ops: () => T,
): { result: T; number: number } {
  const { device } = inputs[0].contents
  const handles = inputs.map(({ handle }) => handle)
  addon.record(device)
  let result: T | null = null
  try {
    result = keep(scope(ops))
    return { result, number: addon.recorded(device, handles) }
  } catch (error) {
    if (result) result.dispose()
    else addon.recorded(device, null)
    throw error
  }
}
