import type { DeviceName } from '../device.ts'
import { IndexError } from '../errors.ts'
import { concat } from '../ops/index.ts'
import { keep } from '../scope.ts'
import type { Tensor } from '../tensor.ts'
import type { Compute } from './compute.ts'

/** What a parameter holds before training. */
export type Init =
  | { readonly kind: 'constant'; readonly value: number }
  /** Mean 0; `zeroRow` is a row that stays 0 (the one of the padding id). */
  | { readonly kind: 'normal'; readonly std: number; readonly zeroRow?: number }

export const zeros: Init = { kind: 'constant', value: 0 }
export const ones: Init = { kind: 'constant', value: 1 }

export function normal(std: number, zeroRow?: number): Init {
  return zeroRow === undefined ? { kind: 'normal', std } : { kind: 'normal', std, zeroRow }
}

/** Where parameters come from: random numbers or a checkpoint. */
export interface ParameterSource {
  /** A dense tensor of that shape, which the caller owns. `path` names the parameter, such as `encoder.blocks.0.norm.weight`. */
  load(path: string, shape: readonly number[], init: Init): Tensor
}

/** What all builders of one model share. */
interface Assembly {
  readonly source: ParameterSource
  readonly parameters: Map<string, Tensor>
  /** Tensors that parameters are views of, and what layers keep beside them. */
  readonly owned: Disposable[]
  sites: number
  readonly compute: Compute
}

/** A parameter that each layer of a group has, with one initial distribution for each layer. */
export interface GroupField {
  readonly name: string
  readonly shape: readonly number[]
  readonly inits: readonly Init[]
}

/** A tensor and those of its row ranges that are parameters. */
export interface ParameterGroup {
  readonly whole: Tensor
  readonly parts: readonly Tensor[]
}

/**
 * Hands layers their parameters, and keeps the list: layers are made from the top down, each with the builder of its own
 * path. Parameters lie outside every scope and belong to the model.
 */
export class ParameterBuilder {
  readonly #assembly: Assembly
  readonly #prefix: string

  private constructor(assembly: Assembly, prefix: string) {
    this.#assembly = assembly
    this.#prefix = prefix
  }

  /** @param firstSite number of the first place that draws random numbers: another model of one step has those below. */
  static from(source: ParameterSource, firstSite = 0): ParameterBuilder {
    return new ParameterBuilder(
      { source, parameters: new Map(), owned: [], sites: firstSite, compute: { dtype: 'float32' } },
      '',
    )
  }

  /** The builder of a layer inside this one. */
  at(name: string | number): ParameterBuilder {
    return new ParameterBuilder(this.#assembly, `${this.#prefix}${name}.`)
  }

  /** Parameters by path, in the order they were made in. */
  get parameters(): ReadonlyMap<string, Tensor> {
    return this.#assembly.parameters
  }

  /** How all layers of the model compute. */
  get compute(): Compute {
    return this.#assembly.compute
  }

  /** Where the parameters lie: all on one device. */
  get device(): DeviceName {
    return this.#assembly.parameters.values().next().value?.device ?? 'cpu'
  }

  parameter(name: string, shape: readonly number[], init: Init): Tensor {
    const path = this.#prefix + name
    const tensor = this.#assembly.source.load(path, shape, init)
    try {
      return this.#register(path, tensor, shape, 0)
    } finally {
      tensor.dispose()
    }
  }

  /**
   * Parameters of several layers, such as weights and biases: those of one name are stored one after the other, so that one
   * product serves all layers.
   *
   * @returns a group for each field.
   */
  groups(layers: readonly string[], fields: readonly GroupField[]): ParameterGroup[] {
    const wholes = fields.map((field) => this.#whole(layers, field))
    const parts: Tensor[][] = fields.map(() => [])
    layers.forEach((layer, i) => {
      fields.forEach(({ name, shape }, j) => {
        const offset = i * shape.reduce((product, n) => product * n, 1)
        parts[j]?.push(this.#register(`${this.#prefix}${layer}.${name}`, wholes[j] as Tensor, shape, offset))
      })
    })
    return wholes.map((whole, j) => ({ whole, parts: parts[j] as Tensor[] }))
  }

  #whole(layers: readonly string[], { name, shape, inits }: GroupField): Tensor {
    const loaded: Tensor[] = []
    try {
      layers.forEach((layer, i) => {
        loaded.push(this.#assembly.source.load(`${this.#prefix}${layer}.${name}`, shape, inits[i] as Init))
      })
      const whole = keep(concat(loaded, 0))
      this.#assembly.owned.push(whole)
      return whole
    } finally {
      for (const tensor of loaded) tensor.dispose()
    }
  }

  /** Leaves the disposal of what a layer keeps to the model. */
  owns<T extends Disposable>(kept: T): T {
    this.#assembly.owned.push(kept)
    return kept
  }

  /** Number of the next place that draws random numbers. */
  site(): number {
    return this.#assembly.sites++
  }

  /** Number that the next place will have. */
  get nextSite(): number {
    return this.#assembly.sites
  }

  dispose(): void {
    for (const tensor of this.#assembly.parameters.values()) {
      tensor.grad?.dispose()
      tensor.grad = null
      tensor.dispose()
    }
    for (const owned of this.#assembly.owned) owned[Symbol.dispose]()
  }

  #register(path: string, storage: Tensor, shape: readonly number[], offset: number): Tensor {
    const { parameters } = this.#assembly
    if (parameters.has(path)) throw new IndexError(`parameter: expected a path once, got ${path} twice`)
    const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, size) => product * size, 1))
    // 16-bit weights are for inference; training keeps float32 ones.
    const leaf = keep(storage.view(shape, strides, offset, storage.dtype === 'float32'))
    parameters.set(path, leaf)
    return leaf
  }
}
