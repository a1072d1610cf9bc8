import { differentiable } from '../autograd/differentiable.ts'
import type { EpilogueOptions } from '../ops/index.ts'
import * as ops from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'
import { type Compute, inDType } from './compute.ts'
import { LinearWeight } from './linear-weight.ts'
import { type Init, type ParameterBuilder, type ParameterGroup, zeros } from './parameters.ts'

export interface LinearOptions {
  readonly inputs: number
  readonly outputs: number
  readonly init: Init
  /** @default false */
  readonly bias?: boolean
  /** Computes in float32 where others do in float16, whose largest number is 65,504. @default false */
  readonly overflows?: boolean
  /** Its input is zero in many places, as after ReLU. @default false */
  readonly sparseInput?: boolean
}

/** x·Wᵀ + b. */
export class Linear {
  readonly weight: Tensor
  readonly bias: Tensor | null
  readonly #weight: LinearWeight
  readonly #compute: Compute
  readonly #overflows: boolean
  readonly #sparseInput: boolean

  constructor(
    build: ParameterBuilder,
    { inputs, outputs, init, bias = false, overflows = false, sparseInput = false }: LinearOptions,
  ) {
    this.#compute = build.compute
    this.#overflows = overflows
    this.#sparseInput = sparseInput && !bias
    this.weight = build.parameter('weight', [outputs, inputs], init)
    this.#weight = build.owns(new LinearWeight(this.weight))
    this.bias = bias ? build.parameter('bias', [outputs], zeros) : null
  }

  /**
   * @param x (N, inputs).
   * @returns (N, outputs), after what `epilogue` asks for: in the dtype of the residual, or without one in that of x.
   */
  forward(x: Tensor, epilogue: EpilogueOptions = {}): Tensor {
    const { act = 'none', gate = null, residual = null, recompute = false } = epilogue
    const { dropoutP = 0, seed = 0, site = 0, step = 0 } = epilogue
    const { bias } = this
    const { dtype } = this.#compute
    const input = inDType(x, this.#overflows && dtype === 'float16' ? 'float32' : dtype)
    const plain = act === 'none' && !gate && dropoutP === 0
    const sparse = this.#sparseInput && residual && plain ? this.#weight.timesSparse(input, residual) : null
    if (sparse) return sparse
    const weight = this.#weight.for(input)
    // A sum over all layers would lose what 16 bits cannot hold.
    const added = residual?.dtype === input.dtype ? residual : null
    const y = ops.linear(input, weight, { bias, act, gate, residual: added, recompute, dropoutP, seed, site, step })
    if (!residual) return inDType(y, x.dtype as Compute['dtype'])
    return added ? y : ops.add(residual, inDType(y, residual.dtype as Compute['dtype']))
  }
}

export interface LinearGroupOptions extends Omit<LinearOptions, 'init'> {
  /** One for each of the layers. */
  readonly inits: readonly Init[]
}

/** Layers of equal size that read the same input: their weights lie one after the other, and one product serves them all. */
export class LinearGroup {
  readonly #weight: ParameterGroup
  readonly #bias: ParameterGroup | null
  readonly #inferenceWeight: LinearWeight
  readonly #compute: Compute

  constructor(
    build: ParameterBuilder,
    layers: readonly string[],
    { inputs, outputs, inits, bias = false }: LinearGroupOptions,
  ) {
    this.#compute = build.compute
    const weight = { name: 'weight', shape: [outputs, inputs], inits }
    const biases = { name: 'bias', shape: [outputs], inits: layers.map(() => zeros) }
    const groups = build.groups(layers, bias ? [weight, biases] : [weight])
    this.#weight = groups[0] as ParameterGroup
    this.#bias = groups[1] ?? null
    this.#inferenceWeight = build.owns(new LinearWeight(this.#weight.whole))
  }

  /** @param x (N, inputs). @returns (N, layers · outputs) in the dtype that the model computes in, the results side by side. */
  forward(x: Tensor): Tensor {
    const whole = ({ parts, whole: tensor }: ParameterGroup) => wholeOf(parts, tensor)
    const input = inDType(x, this.#compute.dtype)
    const weight = this.#inferenceWeight.for(input, () => whole(this.#weight))
    return ops.linear(input, weight, { bias: this.#bias && whole(this.#bias) })
  }
}

/** A tensor whose gradient goes to the parameters that its rows are: joins them without a copy. */
const wholeOf = differentiable('wholeOf', {
  forward(ctx, parts: readonly Tensor[], whole: Tensor) {
    ctx.remember({ sizes: parts.map((part) => part.shape[0]) })
    return whole.detach()
  },
  backward(ctx, dWhole) {
    return [ops.split(dWhole, ctx.remembered.sizes as number[], 0), null]
  },
})
