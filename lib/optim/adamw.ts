import { native, type Tensor } from '../tensor.ts'
import { type Batch, Optimizer, type OptimizerOptions, type ParameterGroup, type StepAttrs } from './optimizer.ts'

export interface AdamWOptions extends OptimizerOptions {
  /** @default [0.9, 0.999] */
  betas?: readonly [number, number]
  /** @default 1e-8; ELECTRA and the RMS-scaled variant use 1e-6 */
  eps?: number
  /** False is the form of BERT and ELECTRA: p −= lr·(m/(√v + eps) + weightDecay·p). @default true */
  biasCorrection?: boolean
  /** Scales a tensor's update (not its decay) by max(1e-3, RMS(p)), as Adafactor does: AdamWScale. @default false */
  rmsScale?: boolean
  /** @default 0.01 */
  weightDecay?: number
}

/**
 * Adam with decoupled weight decay: p −= lr·weightDecay·p + lr·m̂ / (√v̂ + eps).
 *
 * @see Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization. https://arxiv.org/abs/1711.05101
 */
export class AdamW extends Optimizer {
  readonly #options: { beta1: number; beta2: number; eps: number; biasCorrection: boolean; rmsScale: boolean }

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: AdamWOptions = {}) {
    super(params, { ...options, weightDecay: options.weightDecay ?? 0.01 })
    const [beta1, beta2] = options.betas ?? [0.9, 0.999]
    this.#options = {
      beta1,
      beta2,
      eps: options.eps ?? 1e-8,
      biasCorrection: options.biasCorrection ?? true,
      rmsScale: options.rmsScale ?? false,
    }
    this.addStates('means', (param) => param.shape)
    this.addStates('squares', (param) => param.shape)
  }

  protected update(batch: Batch, attrs: StepAttrs, norm: Tensor | null): void {
    const means = this.states('means', batch)
    const squares = this.states('squares', batch)
    native.adamw(batch.params, batch.grads, means, squares, batch.shadows, norm, this.skipped, {
      ...attrs,
      ...this.#options,
    })
  }
}
