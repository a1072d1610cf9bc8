import { withDevice } from '../device.ts'
import { DataError } from '../errors.ts'
import * as ops from '../ops/index.ts'
import { clipGradNorm, type Optimizer } from '../optim/index.ts'
import { keep, scope } from '../scope.ts'
import { native, Tensor } from '../tensor.ts'
import type { Objective } from './objective.ts'

export interface StepSettings {
  /** Learning rate. */
  readonly lr: number
  /** Of the run: with the step and the micro-batch, it says what dropout and sampling draw. @default 0 */
  readonly seed?: number
  /** Number of the step, from 0. @default 0 */
  readonly step?: number
  /** Most that the norm of all gradients may be. @default Infinity */
  readonly maxGradNorm?: number
  /** As in `clipGradNorm`. @default 'torch' */
  readonly clipStyle?: 'torch' | 'tf'
  /** Factor of the loss in backward, which the gradients lose again before they are clipped: a power of two. @default 1 */
  readonly lossScale?: number
}

/** A step on its way: what it gives, as tensors that nobody has waited for. The caller disposes of it. */
export interface LaunchedStep extends Disposable {
  /** () the loss before the step. */
  readonly loss: Tensor
  /** () each term of it, before its factor. */
  readonly terms: Readonly<Record<string, Tensor>>
  /** Targets that each term was the mean of. */
  readonly targets: Readonly<Record<string, number>>
  /** Real tokens of the batches. */
  readonly tokens: number
  /** () of the gradients, before clipping. */
  readonly gradNorm: Tensor
  /** () finite if loss and norm are. Where it is not, the optimiser left the step out. */
  readonly guard: Tensor
}

/**
 * Queues one step of training: gradients of all micro-batches, clipping, and the optimiser, which leaves the step out if
 * the loss or the norm of the gradients is not finite. Each term is a mean over the targets of all micro-batches together.
 *
 * @param batches micro-batches, at least one.
 * @throws {DataError} if the batches have no target.
 * @throws as the model's `forward`; parameters and states are then as they were.
 */
export function launchStep<B>(
  objective: Objective<B>,
  optimizer: Optimizer,
  batches: readonly B[],
  { lr, seed = 0, step = 0, maxGradNorm = Infinity, clipStyle = 'torch', lossScale = 1 }: StepSettings,
): LaunchedStep {
  try {
    return withDevice(optimizer.device, () =>
      scope(() => {
        const targets = batches.map((batch) => objective.targets(batch))
        const totals = totalsOf(objective, targets)
        const terms = accumulate(objective, batches, { targets, totals, seed, step, lossScale })
        if (lossScale !== 1) unscale(optimizer, lossScale)
        const loss = weightedSum(objective, terms)
        const gradNorm = clipGradNorm(optimizer.params, maxGradNorm, { style: clipStyle })
        // Nothing times a loss that is not finite is NaN, and makes the sum so.
        const guard = ops.add(gradNorm, ops.scale(loss, 0))
        optimizer.step({ lr, norm: guard })
        const tokens = batches.reduce((sum, batch) => sum + objective.tokens(batch), 0)
        return new QueuedStep(loss, terms, totals, tokens, gradNorm, guard)
      }),
    )
  } finally {
    for (const tensor of objective.model.namedParameters().values()) {
      tensor.grad?.dispose()
      tensor.grad = null
    }
  }
}

class QueuedStep implements LaunchedStep {
  constructor(
    readonly loss: Tensor,
    readonly terms: Readonly<Record<string, Tensor>>,
    readonly targets: Readonly<Record<string, number>>,
    readonly tokens: number,
    readonly gradNorm: Tensor,
    readonly guard: Tensor,
  ) {
    for (const tensor of this.#tensors()) keep(tensor)
  }

  #tensors(): Set<Tensor> {
    return new Set([this.loss, this.gradNorm, this.guard, ...Object.values(this.terms)])
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#tensors()) tensor.dispose()
  }
}

type Counts = Readonly<Record<string, number>>

/** Targets of all micro-batches together. */
function totalsOf({ terms }: Objective<never>, targets: readonly Counts[]): Counts {
  const totals = Object.fromEntries(
    Object.keys(terms).map((term) => [term, targets.reduce((sum, each) => sum + (each[term] as number), 0)]),
  )
  if (Object.values(totals).some((total) => total > 0)) return totals
  throw new DataError(`launchStep: expected batches with targets, got ${targets.length} without`)
}

interface Accumulation {
  /** Of each micro-batch. */
  readonly targets: readonly Counts[]
  readonly totals: Counts
  readonly seed: number
  readonly step: number
  readonly lossScale: number
}

/** Runs all micro-batches forward and backward. @returns the mean of each term over all of them. */
function accumulate<B>(
  objective: Objective<B>,
  batches: readonly B[],
  { targets, totals, seed, step, lossScale }: Accumulation,
): Record<string, Tensor> {
  const names = Object.keys(objective.terms)
  const means: Record<string, Tensor> = {}
  for (const [micro, batch] of batches.entries()) {
    objective.model.setRandom({ seed: seedOf(seed, micro), step })
    const shares = scope(() => {
      const losses = objective.losses(batch)
      const own = names.flatMap((term) => {
        // Without a target a term is a loss of nothing, whatever the model makes of it.
        const n = targets[micro]?.[term] as number
        return n === 0 ? [] : [[term, ops.scale(losses[term] as Tensor, n / (totals[term] as number))] as const]
      })
      const shares = Object.fromEntries(own)
      if (own.length > 0) {
        const loss = weightedSum(objective, shares)
        const scaled = lossScale === 1 ? loss : ops.scale(loss, lossScale)
        scaled.backward()
      }
      return Object.fromEntries(own.map(([term, share]) => [term, share.detach()]))
    })
    for (const [term, share] of Object.entries(shares)) means[term] = means[term] ? ops.add(means[term], share) : share
  }
  for (const term of names) means[term] ??= Tensor.zeros([])
  return means
}

/** Takes the factor of the loss from all gradients. */
function unscale({ params }: Optimizer, lossScale: number): void {
  const factor = Tensor.full([], 1 / lossScale)
  for (const { grad } of params) if (grad) native.scale(grad, factor)
}

/** Σ factor · term, over the terms that there are. */
function weightedSum({ terms }: Objective<never>, values: Readonly<Record<string, Tensor>>): Tensor {
  return Object.entries(values)
    .map(([term, value]) => (terms[term] === 1 ? value : ops.scale(value, terms[term] as number)))
    .reduce((sum, value) => ops.add(sum, value))
}

// An odd number near 2^32 divided by the golden ratio: seeds that follow one another stay apart from micro-batches'.
const goldenStep = 2_654_435_761

/** Micro-batches of a step draw different numbers; the first one those of the run's own seed. */
function seedOf(seed: number, micro: number): number {
  return (seed + micro * goldenStep) % Number.MAX_SAFE_INTEGER
}
