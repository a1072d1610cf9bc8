import { differentiable } from '../autograd/differentiable.ts'
import type { EpilogueOptions } from '../ops/index.ts'
import * as ops from '../ops/index.ts'
import { PackedWeight } from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'
import { LinearWeight } from './linear-weight.ts'
import { type Init, type ParameterBuilder, type ParameterGroup, zeros } from './parameters.ts'

export interface LinearOptions {
  readonly inputs: number
  readonly outputs: number
  readonly init: Init
  /** @default false */
  readonly bias?: boolean
}

/** x·Wᵀ + b. */
export class Linear {
  readonly weight: Tensor
  readonly bias: Tensor | null
  readonly #weight: LinearWeight

  constructor(build: ParameterBuilder, { inputs, outputs, init, bias = false }: LinearOptions) {
    this.weight = build.parameter('weight', [outputs, inputs], init)
    this.#weight = build.owns(new LinearWeight(this.weight))
    this.bias = bias ? build.parameter('bias', [outputs], zeros) : null
  }

  /** @param x (N, inputs). @returns (N, outputs), after what `epilogue` asks for. */
  forward(x: Tensor, epilogue: EpilogueOptions = {}): Tensor {
    return ops.linear(x, this.#weight.for(x), { ...epilogue, bias: this.bias })
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

  constructor(
    build: ParameterBuilder,
    layers: readonly string[],
    { inputs, outputs, inits, bias = false }: LinearGroupOptions,
  ) {
    const weight = { name: 'weight', shape: [outputs, inputs], inits }
    const biases = { name: 'bias', shape: [outputs], inits: layers.map(() => zeros) }
    const groups = build.groups(layers, bias ? [weight, biases] : [weight])
    this.#weight = groups[0] as ParameterGroup
    this.#bias = groups[1] ?? null
    this.#inferenceWeight = build.owns(new LinearWeight(this.#weight.whole))
  }

  /** @param x (N, inputs). @returns (N, layers · outputs), the layers' results side by side. */
  forward(x: Tensor): Tensor {
    const whole = ({ parts, whole: tensor }: ParameterGroup) => wholeOf(parts, tensor)
    const weight = this.#inferenceWeight.for(x)
    const read = weight instanceof PackedWeight ? weight : whole(this.#weight)
    return ops.linear(x, read, { bias: this.#bias && whole(this.#bias) })
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
