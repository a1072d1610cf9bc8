import { noGrad } from '../autograd/grad-mode.ts'
import { ConfigError } from '../errors.ts'
import { keep, scope } from '../scope.ts'
import { native, Tensor } from '../tensor.ts'
import { assign } from './assign.ts'

/**
 * Exponential moving averages of parameters: e += (1 − decay)·(p − e), from the parameters' first values on.
 *
 * @see Polyak & Juditsky 1992, Acceleration of Stochastic Approximation by Averaging.
 */
export class MovingAverages {
  /** float32, by the parameters' names. */
  readonly averages: ReadonlyMap<string, Tensor>
  readonly #parameters: ReadonlyMap<string, Tensor>
  readonly #decay: number
  #swapped = false

  /** @throws {ConfigError} unless decay is in [0, 1). */
  constructor(parameters: ReadonlyMap<string, Tensor>, { decay }: { decay: number }) {
    if (!(decay >= 0 && decay < 1)) throw new ConfigError(`MovingAverages: expected decay in [0, 1), got ${decay}`)
    this.#decay = decay
    this.#parameters = parameters
    this.averages = new Map([...parameters].map(([name, tensor]) => [name, copyOf(tensor)]))
  }

  /** Moves the averages towards the parameters, except after a step whose `norm` is not finite, as optimisers do. */
  update(norm?: Tensor): void {
    scope(() =>
      noGrad(() => {
        const averages = [...this.averages.values()]
        const distances = [...this.#parameters.values()].map((tensor, i) =>
          native.binary(averages[i] as Tensor, tensor, { op: 'sub' }),
        )
        // A step of plain SGD whose gradient is the distance.
        native.sgd(averages, distances, [], [], norm ?? null, null, { lr: 1 - this.#decay, step: 1 })
      }),
    )
  }

  /** Exchanges averages and parameters: a model is evaluated with the averages between two calls. */
  swap(): void {
    for (const [name, tensor] of this.#parameters) {
      const average = this.averages.get(name) as Tensor
      using before = copyOf(tensor)
      assign(tensor, average)
      assign(average, before)
    }
    this.#swapped = !this.#swapped
  }

  /** Whether the parameters hold the averages. */
  get swapped(): boolean {
    return this.#swapped
  }

  dispose(): void {
    for (const tensor of this.averages.values()) tensor.dispose()
  }
}

function copyOf(tensor: Tensor): Tensor {
  const copy = keep(Tensor.empty(tensor.shape, { device: tensor.device }))
  assign(copy, tensor)
  return copy
}
