// Options that all training commands have.
import { computeFlags } from '../compute.ts'
import { choice, flag, integer, number, text, texts } from '../flags.ts'
import { configFlag } from './settings.ts'

/** Where rows come from. */
export const dataFlags = {
  train: texts('PATH', 'file, folder or pattern to train on: .txt, .jsonl, .csv, .tsv (each also .gz) or .parquet'),
  eval: texts('PATH', 'held-out data, of the same kinds'),
  format: choice(['text', 'jsonl', 'csv', 'tsv', 'parquet'], 'format of the data [by the names of the files]'),
}

/** How a run goes and where it is kept. */
export const runFlags = {
  out: text('DIR', 'folder of the run: model, checkpoints, logs, report.html'),
  resume: flag('go on from the last checkpoint in --out'),
  overwrite: flag('begin anew where --out holds a run'),
  seed: integer('N', 'of parameters, data order and dropout [0]'),
  evalEvery: integer('N', 'steps between two evaluations [a tenth of the run]', 1),
  saveEvery: integer('N', 'steps between two checkpoints [a tenth of the run]', 1),
  keepLast: integer('N', 'checkpoints that stay, the last ones [1]', 1),
  ...computeFlags,
  ...configFlag,
}

export const optimizers = ['adamw', 'adafactor', 'sgd', 'adagrad'] as const
export const schedules = ['constant', 'linear', 'cosine', 'inverseSqrt', 'electraLinear', 't5Rsqrt'] as const

/** What a step does. */
export const stepFlags = {
  batchSize: integer('N', 'examples that are computed together', 1),
  accumulate: integer('N', 'batches of a step [1]', 1),
  steps: integer('N', 'steps of the run', 1),
  lr: number('X', 'learning rate at its height'),
  schedule: choice(schedules, 'how it changes'),
  warmupSteps: integer('N', 'steps of its linear rise'),
  optimizer: choice(optimizers, 'what takes the steps'),
  weightDecay: number('X', 'of matrices'),
  maxGradNorm: number('X', 'most that the norm of the gradients may be [1]'),
  onNonFinite: choice(['skip', 'stop'], 'what to do with a step whose loss or gradients are not finite [skip]'),
  activationCheckpointing: flag('keep only the inputs of blocks: less memory, a third more time'),
}
