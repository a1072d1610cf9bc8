import { command } from '../command.ts'
import { choice, number, weights } from '../flags.ts'
import { runFlags, stepFlags } from '../training/flags.ts'
import { corpusFlags } from '../training/pretraining-flags.ts'
import { required, settingsOf } from '../training/settings.ts'

export const objectives = [
  'spanCorruption',
  'copying',
  'iidDenoising',
  'bertStyle',
  'massStyle',
  'dropTokens',
  'prefixLanguageModel',
  'deshuffling',
  'languageModel',
  'regularSpans',
  'ul2',
] as const

const flags = {
  ...corpusFlags,
  size: choice(['tiny', 'mini', 'small', 'base', 'large'], 'of a new model, as T5 v1.1 [small]'),
  objective: weights(objectives, 'what is learnt, each example by one of them [spanCorruption copying]'),
  noiseDensity: number('X', 'part of the tokens that is noise [0.15]'),
  meanNoiseSpanLength: number('X', 'tokens of a noise span [3]'),
  ...stepFlags,
  ...runFlags,
}

export const pretrainT5 = command({
  summary: 'masked spans to fill in and marked spans to copy, or other objectives',
  details:
    'Writes the model to --out, with its tokenizer, report.html, log.jsonl, TensorBoard events and checkpoints. Without --objective, half of the examples have spans masked that are to be filled in, and half spans marked that are to be copied.',
  positionals: { required: [], rest: null },
  flags,
  examples: [
    'pretrain t5 --train corpus/ --eval b.txt --size mini --steps 20000 --out ./t5',
    'pretrain t5 --train a.txt --objective spanCorruption=3 --objective copying=1 --out ./t5',
  ],

  async run({ values }, console) {
    const settings = await settingsOf(values, flags)
    required(settings, 'train', 'out')
    const { runT5 } = await import('../training/pretrain-t5.ts')
    await runT5(settings, console)
  },
})

/** What `pretrain t5` was told. */
export type T5Settings = Awaited<ReturnType<typeof settingsOf<typeof flags>>> & {
  readonly train: readonly string[]
  readonly out: string
}
