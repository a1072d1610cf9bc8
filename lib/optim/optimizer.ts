import type { DeviceName } from '../device.ts'
import { ConfigError } from '../errors.ts'
import { keep } from '../scope.ts'
import { Tensor } from '../tensor.ts'

/** Parameters that share their settings. */
export interface ParameterGroup {
  readonly params: readonly Tensor[]
  /** Factor on the step's learning rate: layer-wise decay. @default 1 */
  readonly lrScale?: number
  /** @default the optimiser's */
  readonly weightDecay?: number
}

export interface OptimizerOptions {
  /** @default 0 */
  readonly weightDecay?: number
  /** 16-bit copies of parameters, by parameter: each step writes them in the pass that updates the parameter. */
  readonly shadows?: ReadonlyMap<Tensor, Tensor>
}

export interface StepOptions {
  /** Learning rate of this step. */
  readonly lr: number
  /**
   * Norm of the gradients, as `clipGradNorm` returns it. A step whose norm is not finite then changes no parameter and no
   * state; `skipped` counts it. The device decides: nothing waits.
   */
  readonly norm?: Tensor
}

/** Attributes that every optimiser op takes. */
export interface StepAttrs {
  readonly lr: number
  readonly step: number
  readonly weightDecay: number
  readonly countSkip: boolean
}

/** Tensors of one call of an optimiser op: parameters of a group that all have a shadow, or that all have none. */
export interface Batch {
  readonly indices: readonly number[]
  readonly params: readonly Tensor[]
  readonly grads: readonly Tensor[]
  readonly shadows: readonly Tensor[]
}

/**
 * Base of the optimisers: float32 parameters with `requiresGrad`, in groups. A step is one call into the device for each
 * group. Parameters without a gradient stay as they are. States are float32 tensors outside every scope, named for
 * checkpoints in `state`; `dispose()` gives them back.
 */
export abstract class Optimizer {
  /** Steps so far, those that were skipped included. Restore it, and the contents of `state`, to resume. */
  steps = 0
  /** () int32: steps left out because the norm of their gradients was not finite. */
  readonly skipped: Tensor
  readonly #groups: readonly Required<ParameterGroup>[]
  readonly #shadows: ReadonlyMap<Tensor, Tensor>
  readonly #states: Record<string, Tensor> = {}

  /**
   * @throws {ConfigError} if a parameter is not a float32 leaf with `requiresGrad`, or is listed twice.
   */
  constructor(params: readonly Tensor[] | readonly ParameterGroup[], options: OptimizerOptions) {
    const name = this.constructor.name
    const groups = params.length === 0 || params[0] instanceof Tensor ? [{ params: params as Tensor[] }] : params
    this.#groups = (groups as ParameterGroup[]).map((group) => ({
      params: [...group.params],
      lrScale: group.lrScale ?? 1,
      weightDecay: group.weightDecay ?? options.weightDecay ?? 0,
    }))
    const seen = new Set<Tensor>()
    for (const param of this.params) {
      if (param.dtype !== 'float32' || !param.requiresGrad || param.node) {
        throw new ConfigError(`${name}: expected float32 leaves with requiresGrad, got ${param}`)
      }
      if (seen.has(param)) throw new ConfigError(`${name}: expected each parameter once, got ${param} twice`)
      seen.add(param)
    }
    this.#shadows = options.shadows ?? new Map()
    this.skipped = keep(Tensor.zeros([], { dtype: 'int32', device: this.device }))
  }

  /** All parameters, in the order of the groups: their positions name the states. */
  get params(): readonly Tensor[] {
    return this.#groups.flatMap((group) => group.params)
  }

  /** Where the parameters lie: all on one device. */
  get device(): DeviceName {
    return this.params[0]?.device ?? 'cpu'
  }

  /** State tensors by name, `means.0`, `squares.0`, …, and `skipped`. */
  get state(): Readonly<Record<string, Tensor>> {
    return { ...this.#states, skipped: this.skipped }
  }

  /** Updates every parameter that has a gradient. */
  step({ lr, norm }: StepOptions): void {
    this.steps++
    let countSkip = true
    let first = 0
    for (const group of this.#groups) {
      for (const batch of this.#batches(group, first)) {
        const attrs = { lr: lr * group.lrScale, step: this.steps, weightDecay: group.weightDecay, countSkip }
        this.update(batch, attrs, norm ?? null)
        countSkip = false
      }
      first += group.params.length
    }
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const param of this.params) {
      param.grad?.dispose()
      param.grad = null
    }
  }

  dispose(): void {
    for (const tensor of Object.values(this.state)) tensor.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Queues the op for one batch. */
  protected abstract update(batch: Batch, attrs: StepAttrs, norm: Tensor | null): void

  /** Makes the states of a slot, one for each parameter that `shapeOf` gives a shape. */
  protected addStates(slot: string, shapeOf: (param: Tensor) => readonly number[] | null, value = 0): void {
    this.params.forEach((param, i) => {
      const shape = shapeOf(param)
      if (shape) this.#states[`${slot}.${i}`] = keep(Tensor.full(shape, value, { device: param.device }))
    })
  }

  /** The states of a slot that the batch's parameters have. */
  protected states(slot: string, batch: Batch): Tensor[] {
    return batch.indices.flatMap((i) => this.#states[`${slot}.${i}`] ?? [])
  }

  *#batches(group: Required<ParameterGroup>, first: number): Generator<Batch> {
    for (const shadowed of [false, true]) {
      const indices = group.params.flatMap((param, i) =>
        param.grad && this.#shadows.has(param) === shadowed ? [i] : [],
      )
      if (indices.length === 0) continue
      const params = indices.map((i) => group.params[i] as Tensor)
      yield {
        indices: indices.map((i) => first + i),
        params,
        grads: params.map((param) => param.grad as Tensor),
        shadows: shadowed ? params.map((param) => this.#shadows.get(param) as Tensor) : [],
      }
    }
  }
}
