import type { Optimizer, ParameterGroup, Schedule } from '../../optim/index.ts'
import { Adafactor, Adagrad, AdamW, type AdamWOptions, SGD } from '../../optim/index.ts'
import type { optimizers, schedules } from './flags.ts'

/** An optimiser by its name, with what is usual for it. */
export function optimizerOf(
  name: (typeof optimizers)[number],
  groups: readonly ParameterGroup[],
  adamw: AdamWOptions,
): Optimizer {
  switch (name) {
    case 'adamw':
      return new AdamW(groups, adamw)
    case 'adafactor':
      return new Adafactor(groups, { factoring: 'largestTwo', minDimSizeToFactor: 128 })
    case 'sgd':
      return new SGD(groups, { momentum: 0.9 })
    case 'adagrad':
      return new Adagrad(groups)
  }
}

/** A schedule by its name. */
export function scheduleOf(type: (typeof schedules)[number], warmupSteps: number, totalSteps: number): Schedule {
  switch (type) {
    case 'constant':
    case 'inverseSqrt':
      return { type, warmupSteps }
    case 't5Rsqrt':
      return { type, k: Math.max(1, warmupSteps), totalSteps }
    default:
      return { type, warmupSteps, totalSteps }
  }
}
