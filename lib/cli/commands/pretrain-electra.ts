import { command } from '../command.ts'
import { choice, flag, number } from '../flags.ts'
import { runFlags, stepFlags } from '../training/flags.ts'
import { corpusFlags } from '../training/pretraining-flags.ts'
import { required, settingsOf } from '../training/settings.ts'

const flags = {
  ...corpusFlags,
  size: choice(['tiny', 'mini', 'small', 'base', 'large'], 'of a new model [small]'),
  objective: choice(
    ['joint', 'two-stage', 'mlm'],
    'generator and discriminator together, one after the other, or a masked-language model alone [joint]',
  ),
  generatorFraction: number('X', "the generator's width over the discriminator's [by size]"),
  sharing: choice(['none', 'wordAndPosition', 'embeddings', 'all'], 'what the two have in common [embeddings]'),
  discWeight: number('X', "factor of the discriminator's loss [50]"),
  maskRate: number('X', 'part of the tokens that is to be predicted [0.15]'),
  distinct: flag('draw masked positions without replacement'),
  ...stepFlags,
  ...runFlags,
}

export const pretrainElectra = command({
  summary: 'replaced-token detection, or masked words',
  details:
    'Writes to --out: discriminator/ and generator/ (or the masked-language model itself), report.html, log.jsonl, TensorBoard events and checkpoints. Defaults of --lr, --warmup-steps and --weight-decay are those of the paper.',
  positionals: { required: [], rest: null },
  flags,
  examples: [
    'pretrain electra --train corpus/ --eval b.txt --size mini --steps 20000 --out ./electra',
    'pretrain electra --config electra.yaml --resume',
  ],

  async run({ values }, console) {
    const settings = await settingsOf(values, flags)
    required(settings, 'train', 'out')
    const { runElectra } = await import('../training/pretrain-electra.ts')
    await runElectra(settings, console)
  },
})

/** What `pretrain electra` was told. */
export type ElectraSettings = Awaited<ReturnType<typeof settingsOf<typeof flags>>> & {
  readonly train: readonly string[]
  readonly out: string
}
