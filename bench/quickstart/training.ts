import type { Console } from '../../lib/cli/console.ts'
import { type optim, train } from '../../lib/index.ts'

export interface Run<B> {
  readonly name: string
  readonly objective: train.Objective<B>
  readonly optimizer: optim.Optimizer
  readonly data: train.BatchSource<B>
  readonly steps: number
  readonly lr: number
  readonly schedule: optim.Schedule
}

/** Thrown when Ctrl-C was pressed: what was saved stays. */
export class Interrupted extends Error {}

/** Trains with progress on the console; the curves are those of the run. */
export async function trainWith<B>(run: Run<B>, console: Console): Promise<train.RunCurves> {
  const { name, objective, optimizer, data, steps, lr, schedule } = run
  const trainer = new train.Trainer({
    ...{ objective, optimizer, data, maxSteps: steps, lr, schedule, signal: console.signal },
  })
  const curves = new train.RunCurves()
  const logs = [new train.ProgressLog(console, { name, maxSteps: steps }), curves]
  for await (const event of train.logged(trainer.run(), logs)) {
    if (event.type === 'end' && event.reason === 'aborted') throw new Interrupted()
  }
  trainer.dispose()
  return curves
}
