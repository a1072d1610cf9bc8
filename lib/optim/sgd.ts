import { native, type Tensor } from '../tensor.ts'
import { type Batch, Optimizer, type OptimizerOptions, type ParameterGroup, type StepAttrs } from './optimizer.ts'

export interface SGDOptions extends OptimizerOptions {
  /** @default 0 */
  momentum?: number
  /** Looks one step of momentum ahead. @default false */
  nesterov?: boolean
}

/**
 * Stochastic gradient descent in PyTorch's form: g += weightDecay·p; v = momentum·v + g; p −= lr·v, or
 * lr·(g + momentum·v) with Nesterov's momentum.
 *
 * @see Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.
 */
export class SGD extends Optimizer {
  readonly #options: { momentum: number; nesterov: boolean }

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: SGDOptions = {}) {
    super(params, options)
    this.#options = { momentum: options.momentum ?? 0, nesterov: options.nesterov ?? false }
    if (this.#options.momentum !== 0) this.addStates('velocities', (param) => param.shape)
  }

  protected update(batch: Batch, attrs: StepAttrs, norm: Tensor | null): void {
    const velocities = this.states('velocities', batch)
    native.sgd(batch.params, batch.grads, velocities, batch.shadows, norm, this.skipped, {
      ...attrs,
      ...this.#options,
    })
  }
}
