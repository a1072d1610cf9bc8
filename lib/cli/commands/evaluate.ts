import { command } from '../command.ts'
import { computeFlags } from '../compute.ts'
import { choice, flag, integer, text, texts } from '../flags.ts'
import { configFlag, required, settingsOf } from '../training/settings.ts'
import { taskFlag, taskFlags } from '../training/task-flags.ts'

const flags = {
  task: taskFlag,
  model: text('DIR', 'folder or hub id of a fine-tuned model'),
  tokenizer: text('DIR', "folder or hub id of another tokenizer than the model's"),
  data: texts('PATH', 'labelled files, as for finetune'),
  format: choice(['text', 'jsonl', 'csv', 'tsv', 'parquet'], 'format of the data [by the names of the files]'),
  ...taskFlags,
  batchSize: integer('N', 'examples that are computed together [32]', 1),
  ...computeFlags,
  json: flag('print one JSON object'),
  ...configFlag,
}

export const evaluate = command({
  summary: 'scores a fine-tuned model on labelled data',
  details: 'Prints one score a line: shares from 0 to 1, correlations from -1 to 1, BLEU up to 100.',
  positionals: { required: [], rest: null },
  flags,
  examples: ['evaluate --task classification --model runs/sentiment --data b.tsv'],

  async run({ values }, console) {
    const settings = await settingsOf(values, flags)
    required(settings, 'task', 'model', 'data')
    const { runEvaluate } = await import('../training/evaluate.ts')
    await runEvaluate(settings, console)
  },
})

/** What `evaluate` was told. */
export type EvaluateSettings = Awaited<ReturnType<typeof settingsOf<typeof flags>>> & {
  readonly task: string | Readonly<Record<string, unknown>>
  readonly model: string
  readonly data: readonly string[]
}
