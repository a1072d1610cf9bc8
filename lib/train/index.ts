export { latestCheckpoint, loadWeights } from './checkpoints.ts'
export { evaluateObjective } from './evaluate.ts'
export * from './events.ts'
export * from './fine-tuning/index.ts'
export * from './logs/index.ts'
export * from './objective.ts'
export * from './report/index.ts'
export { type LaunchedStep, launchStep, type StepSettings } from './step.ts'
export {
  type BatchSource,
  type CheckpointOptions,
  type EvaluateOptions,
  Trainer,
  type TrainerOptions,
} from './trainer.ts'
export { startDiscriminator } from './two-stage.ts'
export type { WatchOptions } from './watch.ts'
