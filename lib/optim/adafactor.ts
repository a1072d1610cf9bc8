import { native, type Tensor } from '../tensor.ts'
import { type Batch, Optimizer, type OptimizerOptions, type ParameterGroup, type StepAttrs } from './optimizer.ts'

export interface AdafactorOptions extends OptimizerOptions {
  /** Which two dimensions are factored: Hugging Face takes the last two, T5 the two largest. @default 'lastTwo' */
  factoring?: 'lastTwo' | 'largestTwo'
  /** A tensor is not factored when the smaller of the two is below it. T5 has 128. @default 0 */
  minDimSizeToFactor?: number
  /** The rate is min(1e-2, 1/√t) instead of the step's lr. @default false */
  relativeStep?: boolean
  /** With `relativeStep`, min(1e-6·t, 1/√t). @default false */
  warmupInit?: boolean
  /** Scales the rate by max(eps[1], RMS(p)). @default true */
  scaleParameter?: boolean
  /** The second moments' decay is 1 − t^decayRate. @default -0.8 */
  decayRate?: number
  /** Added to squared gradients; least scale of a parameter. @default [1e-30, 1e-3] */
  eps?: readonly [number, number]
  /** Updates whose RMS is above it are scaled down to it. @default 1 */
  clipThreshold?: number
  /** Averages the scaled updates, at the price of a state as large as the parameters. @default 0: off */
  beta1?: number
}

/**
 * Adafactor: second moments of a matrix kept as row and column means. Weight decay is that of Hugging Face,
 * p −= weightDecay·(rate·scale)·p. With `relativeStep`, `step` still wants an lr, and does not use it.
 *
 * @see Shazeer & Stern 2018, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost. https://arxiv.org/abs/1804.04235
 */
export class Adafactor extends Optimizer {
  readonly #options

  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: AdafactorOptions = {}) {
    super(params, options)
    const [eps1, eps2] = options.eps ?? [1e-30, 1e-3]
    this.#options = {
      factoring: options.factoring ?? ('lastTwo' as const),
      minDimSizeToFactor: options.minDimSizeToFactor ?? 0,
      relativeStep: options.relativeStep ?? false,
      warmupInit: options.warmupInit ?? false,
      scaleParameter: options.scaleParameter ?? true,
      decayRate: options.decayRate ?? -0.8,
      eps1,
      eps2,
      clipThreshold: options.clipThreshold ?? 1,
      beta1: options.beta1 ?? 0,
    }
    const axes = (param: Tensor) => this.#factoredAxes(param.shape)
    const without = (param: Tensor, which: 0 | 1) => {
      const pair = axes(param)
      return pair && param.shape.filter((_, axis) => axis !== pair[which])
    }
    this.addStates('rows', (param) => without(param, 1))
    this.addStates('columns', (param) => without(param, 0))
    this.addStates('squares', (param) => (axes(param) ? null : param.shape))
    if (this.#options.beta1 !== 0) this.addStates('means', (param) => param.shape)
  }

  protected update(batch: Batch, attrs: StepAttrs, norm: Tensor | null): void {
    const [rows, columns, squares, means] = (['rows', 'columns', 'squares', 'means'] as const).map((slot) =>
      this.states(slot, batch),
    ) as [Tensor[], Tensor[], Tensor[], Tensor[]]
    native.adafactor(batch.params, batch.grads, rows, columns, squares, means, batch.shadows, norm, this.skipped, {
      ...attrs,
      ...this.#options,
    })
  }

  /** The two factored axes, ascending; the op checks the states' shapes against its own rule. */
  #factoredAxes(shape: readonly number[]): readonly [number, number] | null {
    const { factoring, minDimSizeToFactor } = this.#options
    if (shape.length < 2 || shape.includes(0)) return null
    const bySize = shape.map((_, axis) => axis)
    if (factoring === 'largestTwo') bySize.sort((a, b) => (shape[a] as number) - (shape[b] as number))
    const [first, second] = bySize.slice(-2).sort((a, b) => a - b) as [number, number]
    return Math.min(shape[first] as number, shape[second] as number) < minDimSizeToFactor ? null : [first, second]
  }
}
