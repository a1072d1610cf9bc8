import type { DeviceName } from '../device.ts'
import { native, type Tensor } from '../tensor.ts'
import { assign } from './assign.ts'
import type { Optimizer } from './optimizer.ts'

/** What beside its tensors an optimiser is taken up again with. */
export interface OptimizerCounts {
  readonly steps: number
  readonly skipped: number
}

/**
 * @internal Takes an optimiser up where another of the same kind was.
 *
 * @param load gives the float32 state of a name; the caller of this owns it no more.
 */
export function restoreOptimizer(
  optimizer: Optimizer,
  { steps, skipped }: OptimizerCounts,
  load: (name: string, device: DeviceName) => Tensor,
): void {
  for (const [name, tensor] of Object.entries(floatStates(optimizer))) {
    using saved = load(name, tensor.device)
    assign(tensor, saved)
  }
  native.fill(optimizer.skipped, { value: skipped })
  optimizer.steps = steps
}

/** @internal States but for the count of skipped steps. */
export function floatStates(optimizer: Optimizer): Readonly<Record<string, Tensor>> {
  const { skipped: _, ...states } = optimizer.state
  return states
}
