import { command } from '../command.ts'
import { integer, number, text } from '../flags.ts'
import { dataFlags, runFlags, stepFlags } from '../training/flags.ts'
import { required, settingsOf } from '../training/settings.ts'
import { taskFlag, taskFlags } from '../training/task-flags.ts'

const flags = {
  task: taskFlag,
  model: text('DIR', 'folder or hub id of a pre-trained model'),
  tokenizer: text('DIR', "folder or hub id of another tokenizer than the model's"),
  ...dataFlags,
  ...taskFlags,
  epochs: number('X', 'times that the training data is read, unless --steps is given [3, of regression 10]'),
  ...stepFlags,
  layerwiseDecay: number('X', 'factor of the learning rate from a layer to the one below [by model]'),
  patience: integer('N', 'evaluations without improvement that end the run', 1),
  ...runFlags,
}

export const finetune = command({
  summary: 'trains a head, or T5 on a task in words, on labelled data',
  details:
    'Writes the best model to --out (by --eval, where it is given), with its tokenizer, report.html, log.jsonl, TensorBoard events and checkpoints. Defaults of --lr, --batch-size, --epochs, --warmup-steps and --layerwise-decay are those of the papers: ELECTRA 3e-4 (small), 1e-4 (base), 5e-5 (large); T5 Adafactor at 1e-3. Rows of classification have the columns text and label, or those that are named; tagging reads .conll files or JSON Lines of tokens and tags; question-answering reads files in the format of SQuAD.',
  positionals: { required: [], rest: null },
  flags,
  examples: [
    'finetune --task classification --model ./electra --train a.tsv --eval b.tsv --out ./mine',
    'finetune --task tagging --model ./electra --train a.conll --eval b.conll --out ./mine',
    'finetune --task sst2 --model google-t5/t5-small --train a.tsv --eval b.tsv --out ./mine',
  ],

  async run({ values }, console) {
    const settings = await settingsOf(values, flags)
    required(settings, 'task', 'model', 'train', 'out')
    const { runFinetune } = await import('../training/finetune.ts')
    await runFinetune(settings, console)
  },
})

/** What `finetune` was told. */
export type FinetuneSettings = Awaited<ReturnType<typeof settingsOf<typeof flags>>> & {
  readonly task: string | Readonly<Record<string, unknown>>
  readonly model: string
  readonly train: readonly string[]
  readonly out: string
}
