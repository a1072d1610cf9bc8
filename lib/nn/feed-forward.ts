import type { Activation } from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'
import { type Compute, inDType } from './compute.ts'
import { Dropout, type DropoutBroadcast, type Pass } from './dropout.ts'
import { Linear } from './linear.ts'
import type { PackedRows } from './packed-rows.ts'
import type { Init, ParameterBuilder } from './parameters.ts'

export interface FeedForwardConfig {
  readonly dModel: number
  readonly dFF: number
  readonly activation: Activation
  /** Whether a second projection multiplies the activation. */
  readonly gated: boolean
  readonly bias: boolean
  readonly inits: { readonly wi: Init; readonly wo: Init }
  /** Of the hidden values. */
  readonly hiddenDropout: number
  /** Of the result, before it is added to the residual. */
  readonly outputDropout: number
  readonly dropoutBroadcast: DropoutBroadcast
  /** As in `LinearOptions`, of wo. @default false */
  readonly overflows?: boolean
  /** Inference feeds it a few rows at a time, as in decoders: it may keep a copy of wo for that. @default false */
  readonly fewRows?: boolean
  /** Backward computes the hidden values again instead of keeping them. @default false */
  readonly recompute?: boolean
}

/** wo(dropout(act(wi·x))), or wo(dropout(act(wi0·x) ⊙ wi1·x)) where it is gated: two or three products, nothing between. */
export class FeedForward {
  readonly #compute: Compute
  readonly #activation: Activation
  readonly #recompute: boolean
  readonly #in: Linear
  readonly #gate: Linear | null
  readonly #out: Linear
  readonly #hiddenDropout: Dropout
  readonly #outputDropout: Dropout

  constructor(build: ParameterBuilder, config: FeedForwardConfig) {
    const { dModel, dFF, activation, gated, bias, inits, dropoutBroadcast, overflows = false, fewRows = false } = config
    const inwards = { inputs: dModel, outputs: dFF, init: inits.wi, bias }
    this.#compute = build.compute
    this.#activation = activation
    this.#recompute = config.recompute ?? false
    this.#in = new Linear(build.at(gated ? 'wi0' : 'wi'), inwards)
    this.#gate = gated ? new Linear(build.at('wi1'), inwards) : null
    const sparseInput = fewRows && activation === 'relu' && !gated
    this.#out = new Linear(build.at('wo'), {
      inputs: dFF,
      outputs: dModel,
      init: inits.wo,
      bias,
      overflows,
      sparseInput,
    })
    this.#hiddenDropout = new Dropout(config.hiddenDropout, build.site(), dropoutBroadcast)
    this.#outputDropout = new Dropout(config.outputDropout, build.site(), dropoutBroadcast)
  }

  /**
   * @param x (N, dModel), the layer's input.
   * @param residual (N, dModel), what its result is added to.
   */
  forward(x: Tensor, residual: Tensor, { packing }: PackedRows, pass: Pass): Tensor {
    const input = inDType(x, this.#compute.dtype)
    const gate = this.#gate?.forward(input) ?? null
    const hidden = this.#hiddenDropout.after(
      ({ dropoutP = 0, seed = 0, site = 0, step = 0 }) =>
        this.#in.forward(input, {
          dropoutP,
          seed,
          site,
          step,
          act: this.#activation,
          gate,
          recompute: this.#recompute,
        }),
      packing,
      pass,
    )
    return this.#outputDropout.addTo(residual, (epilogue) => this.#out.forward(hidden, epilogue), packing, pass)
  }
}
