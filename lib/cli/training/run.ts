import { join } from 'node:path'
import { StateError } from '../../errors.ts'
import {
  type BatchSource,
  type EndReason,
  JsonlLog,
  logged,
  type Objective,
  ProgressLog,
  RunReport,
  TensorBoardLog,
  Trainer,
  type TrainerOptions,
} from '../../train/index.ts'
import type { Console } from '../console.ts'
import { runFiles } from './folder.ts'

/** A run, or a stage of one. */
export interface TrainingRun<B> {
  readonly out: string
  /** Heading of the report. */
  readonly title: string
  /** Kept in the report. */
  readonly settings: object
  readonly resume: boolean
  /** Distinguishes the stages of a run of several. @default none */
  readonly stage?: string
  readonly objective: Objective<B>
  readonly data: BatchSource<B>
  readonly maxSteps: number
  readonly saveEvery: number
  readonly keepLast: number
  readonly keepBest?: number
  /** The rest, as the trainer takes it. */
  readonly trainer: Omit<TrainerOptions<B>, 'objective' | 'data' | 'maxSteps' | 'checkpoints' | 'signal'>
}

/** What came of it. */
export interface RunOutcome {
  readonly reason: EndReason
  readonly step: number
  /** Metrics of the evaluation that was best, and of the last one. */
  readonly best: Readonly<Record<string, number>> | null
  readonly last: Readonly<Record<string, number>> | null
  /** Checkpoint of the best evaluation, where such are kept. */
  readonly bestCheckpoint: string | null
}

/**
 * Trains with progress on the console, and log, TensorBoard events, report and checkpoints in the folder of the run.
 *
 * @throws {StateError} if the run was to stop at a step that was not finite, and did.
 */
export async function runTraining<B>(run: TrainingRun<B>, console: Console): Promise<RunOutcome> {
  const { out, title, settings, stage, objective, data, maxSteps, saveEvery, keepLast, keepBest } = run
  const path = (name: string) => (stage ? join(out, stage, name) : join(out, name))
  const checkpoints = { dir: path(runFiles.checkpoints), every: saveEvery, keepLast, ...(keepBest ? { keepBest } : {}) }
  const trainer = new Trainer({
    ...run.trainer,
    ...{ objective, data, maxSteps, checkpoints, signal: console.signal },
  })
  try {
    if (run.resume && (await trainer.resume())) console.note(`resumed after step ${trainer.step.toLocaleString('en')}`)
    const logs = [
      new ProgressLog(console, { maxSteps, ...(stage ? { name: stage } : {}) }),
      await JsonlLog.open(path(runFiles.log), { afterStep: trainer.step }),
      await TensorBoardLog.open(path(runFiles.tensorboard)),
      new RunReport(path(runFiles.report), { title: stage ? `${title}: ${stage}` : title, config: settings }),
    ]
    let outcome: Omit<RunOutcome, 'bestCheckpoint'> = { reason: 'dataEnd', step: trainer.step, best: null, last: null }
    for await (const event of logged(trainer.run(), logs)) {
      if (event.type === 'evaluate') {
        outcome = { ...outcome, last: event.metrics, ...(event.best ? { best: event.metrics } : {}) }
      }
      if (event.type === 'end') outcome = { ...outcome, reason: event.reason, step: event.step }
    }
    if (outcome.reason === 'nonFinite') {
      throw new StateError(`training: expected a finite loss and finite gradients, got others at step ${outcome.step}`)
    }
    if (outcome.reason === 'aborted') console.note(`stopped after step ${outcome.step}; --resume goes on`)
    return { ...outcome, bestCheckpoint: trainer.bestCheckpoint }
  } finally {
    trainer.dispose()
  }
}
