import { noGrad } from '../autograd/grad-mode.ts'
import { DataError } from '../errors.ts'
import { scope } from '../scope.ts'
import type { Objective } from './objective.ts'

/**
 * The terms of an objective over batches, each a mean over the targets of all of them together, in nats; and `loss`, their
 * weighted sum. Dropout is as the model has it: off in the trainer's evaluations.
 *
 * @throws {DataError} if there is no batch with a target.
 */
export async function evaluateObjective<B>(
  objective: Objective<B>,
  batches: AsyncIterable<B> | Iterable<B>,
): Promise<Record<string, number>> {
  const sums = new Map<string, { value: number; targets: number }>()
  // What sampling draws is the same in each evaluation.
  let step = 0
  for await (const batch of batches) {
    objective.model.setRandom({ seed: 0, step: step++ })
    const targets = objective.targets(batch)
    const losses = noGrad(() => scope(() => objective.losses(batch)))
    for (const [term, loss] of Object.entries(losses)) {
      const value = await loss.item()
      loss.dispose()
      const n = targets[term] as number
      const sum = sums.get(term) ?? { value: 0, targets: 0 }
      if (n > 0) sums.set(term, { value: sum.value + value * n, targets: sum.targets + n })
    }
  }
  if (sums.size === 0) throw new DataError('evaluateObjective: expected batches with targets, got none')
  const means = Object.fromEntries([...sums].map(([term, { value, targets }]) => [term, value / targets]))
  const loss = Object.entries(means).reduce((sum, [term, mean]) => sum + (objective.terms[term] as number) * mean, 0)
  return { ...means, loss }
}
