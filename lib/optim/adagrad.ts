import { native, type Tensor } from '../tensor.ts'
import { type Batch, Optimizer, type OptimizerOptions, type ParameterGroup, type StepAttrs } from './optimizer.ts'

export interface AdagradOptions extends OptimizerOptions {
  /** lr is divided by 1 + (t − 1)·lrDecay. @default 0 */
  lrDecay?: number
  /** What the sums of squares start from; TensorFlow has 0.1. @default 0 */
  initialAccumulatorValue?: number
  /** @default 1e-10 */
  eps?: number
}

/**
 * Adagrad: g += weightDecay·p; s += g²; p −= lr·g / (√s + eps).
 *
 * @see Duchi et al. 2011, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization.
 */
export class Adagrad extends Optimizer {
  readonly #options: { lrDecay: number; eps: number }

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: AdagradOptions = {}) {
    super(params, options)
    this.#options = { lrDecay: options.lrDecay ?? 0, eps: options.eps ?? 1e-10 }
    this.addStates('sums', (param) => param.shape, options.initialAccumulatorValue)
  }

  protected update(batch: Batch, attrs: StepAttrs, norm: Tensor | null): void {
    const sums = this.states('sums', batch)
    native.adagrad(batch.params, batch.grads, sums, batch.shadows, norm, this.skipped, { ...attrs, ...this.#options })
  }
}
