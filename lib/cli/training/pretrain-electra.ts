import { join } from 'node:path'
import { type ElectraBatch, electraBatches, type Stream, type TokenCache } from '../../data/index.ts'
import { ConfigError } from '../../errors.ts'
import type { ConfigJson } from '../../models/config.ts'
import {
  ElectraForJointPreTraining,
  ElectraForMaskedLM,
  electraSizes,
  generatorFractions,
  generatorJson,
  parseElectraConfig,
} from '../../models/index.ts'
import { parameterGroups } from '../../optim/index.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { trainWordPiece } from '../../tokenizers/training/word-piece.ts'
import {
  discriminatorObjective,
  evaluateObjective,
  generatorObjective,
  jointObjective,
  maskedObjective,
  type Objective,
  startDiscriminator,
} from '../../train/index.ts'
import type { ElectraSettings } from '../commands/pretrain-electra.ts'
import { computeWith } from '../compute.ts'
import type { Console } from '../console.ts'
import { firstOf } from './first-of.ts'
import { expectRunFolder, openRunFolder } from './folder.ts'
import { optimizerOf, scheduleOf } from './optimizer.ts'
import { aTenthOf, corpusOf, expectFiles, expectFitting, modelJson, textsOf, tokenizerOf } from './pretraining.ts'
import { type RunOutcome, runTraining } from './run.ts'

/** Clark et al. 2020, table 6. */
const defaults = {
  size: 'small',
  objective: 'joint',
  sharing: 'embeddings',
  discWeight: 50,
  maskRate: 0.15,
  distinct: false,
  unit: 'document',
  vocabSize: 8192,
  maxLength: 128,
  evalBatches: 50,
  batchSize: 128,
  accumulate: 1,
  steps: 10_000,
  lr: 5e-4,
  schedule: 'electraLinear',
  optimizer: 'adamw',
  weightDecay: 0.01,
  maxGradNorm: 1,
  onNonFinite: 'skip',
  activationCheckpointing: false,
  seed: 0,
  keepLast: 1,
  resume: false,
  overwrite: false,
} as const

/** Settings with defaults filled in. */
function resolved(given: ElectraSettings) {
  const settings = { ...defaults, ...given }
  const { steps, objective, size } = settings
  if (objective === 'two-stage' && (given.sharing ?? 'none') !== 'none') {
    throw new ConfigError(`expected --sharing none with --objective two-stage, got ${given.sharing}`)
  }
  return {
    warmupSteps: aTenthOf(steps),
    evalEvery: aTenthOf(steps),
    saveEvery: aTenthOf(steps),
    generatorFraction: objective === 'two-stage' ? 1 : generatorFractions[size],
    ...settings,
    ...(objective === 'two-stage' ? { sharing: 'none' as const } : {}),
  }
}

type Settings = ReturnType<typeof resolved>
type Stage = 'generator-stage' | 'discriminator-stage'

/** `duoformer pretrain electra`, from the settings to the saved models. */
export async function runElectra(given: ElectraSettings, console: Console): Promise<void> {
  const settings = resolved(given)
  const { out, resume, train } = settings
  await computeWith(settings)
  await expectRunFolder(out, settings)
  await expectFiles(settings)
  await openRunFolder(out, settings, settings)
  const tokenizer = await tokenizerOf(settings.tokenizer ?? settings.from, out, resume, () =>
    trainWordPiece(textsOf(train, settings, console), { vocabSize: settings.vocabSize, signal: console.signal }),
  )
  const corpus = await corpusOf(train, tokenizer, true, settings, console)
  const heldOut = settings.eval ? await corpusOf(settings.eval, tokenizer, true, settings, console) : null
  const run = new ElectraRun(settings, tokenizer, corpus, heldOut, console)
  try {
    await (settings.objective === 'mlm' ? run.maskedLanguageModel() : run.generatorAndDiscriminator())
  } finally {
    await corpus.close()
    await heldOut?.close()
  }
}

/** What one pre-training runs on. */
class ElectraRun {
  constructor(
    private readonly settings: Settings,
    private readonly tokenizer: Tokenizer,
    private readonly corpus: TokenCache,
    private readonly heldOut: TokenCache | null,
    private readonly console: Console,
  ) {}

  async maskedLanguageModel(): Promise<void> {
    const { from, out, seed } = this.settings
    using model = from
      ? await ElectraForMaskedLM.fromPretrained(from)
      : new ElectraForMaskedLM(parseElectraConfig(await this.#json()), { seed })
    expectFitting(this.tokenizer, model.config.vocabSize)
    const { reason } = await this.#train(maskedObjective(model))
    if (reason === 'aborted') return
    await model.savePretrained(out)
    await this.console.print(`saved: ${out}`)
  }

  async generatorAndDiscriminator(): Promise<void> {
    const { objective, out } = this.settings
    using model = await this.#jointModel()
    expectFitting(this.tokenizer, model.discriminator.config.vocabSize)
    if (objective === 'joint') {
      if ((await this.#train(jointObjective(model))).reason === 'aborted') return
    } else {
      if ((await this.#train(generatorObjective(model), 'generator-stage')).reason === 'aborted') return
      startDiscriminator(model)
      if ((await this.#train(discriminatorObjective(model), 'discriminator-stage')).reason === 'aborted') return
    }
    await model.savePretrained(out)
    for (const part of ['discriminator', 'generator']) await this.tokenizer.savePretrained(join(out, part))
    await this.console.print(`saved: ${join(out, 'discriminator')} and ${join(out, 'generator')}`)
  }

  async #jointModel(): Promise<ElectraForJointPreTraining> {
    const { from, seed, sharing, discWeight, generatorFraction } = this.settings
    if (from) return ElectraForJointPreTraining.fromPretrained(from, { sharing, discWeight })
    const json = await this.#json()
    const generator = parseElectraConfig(generatorJson(json, generatorFraction))
    return ElectraForJointPreTraining.fromConfigs(generator, parseElectraConfig(json), { sharing, discWeight, seed })
  }

  #json(): Promise<ConfigJson> {
    const { size, modelConfig, maxLength } = this.settings
    const positions = Math.max(512, maxLength)
    return modelJson({ ...electraSizes[size], max_position_embeddings: positions }, modelConfig, this.tokenizer)
  }

  #batches(documents: TokenCache, epochs: number, shuffled: boolean): Stream<ElectraBatch> {
    const { batchSize, seed, maxLength, maskRate, distinct } = this.settings
    return electraBatches(documents.byLine(), {
      ...{ tokenizer: this.tokenizer, batchSize, seed, epochs, shuffled },
      ...{ maxLength, maskRate, withReplacement: !distinct },
    })
  }

  async #train(objective: Objective<ElectraBatch>, stage?: Stage): Promise<RunOutcome> {
    const settings = this.settings
    const { out, seed, lr, weightDecay, accumulate, maxGradNorm, onNonFinite, activationCheckpointing } = settings
    const steps = stage ? Math.ceil(settings.steps / 2) : settings.steps
    const all = [...objective.model.namedParameters()]
    const trained = stage === 'generator-stage' ? all.filter(([name]) => name.startsWith('generator.')) : all
    const groups = parameterGroups(new Map(trained), { weightDecay })
    // ELECTRA's AdamW does not correct its averages' bias.
    using optimizer = optimizerOf(settings.optimizer, groups, { eps: 1e-6, biasCorrection: false })
    const evaluate = async () => {
      const batches = this.#batches(this.heldOut as TokenCache, 1, false)
      return evaluateObjective(objective, firstOf(batches, settings.evalBatches))
    }
    return await runTraining(
      {
        ...{ out, title: `ELECTRA: ${settings.objective}`, settings, resume: settings.resume, objective },
        ...(stage ? { stage } : {}),
        ...{ data: this.#batches(this.corpus, Infinity, true), maxSteps: steps },
        ...{ saveEvery: settings.saveEvery, keepLast: settings.keepLast },
        trainer: {
          ...{ optimizer, lr, accumulate, maxGradNorm, onNonFinite, activationCheckpointing, seed },
          ...{ schedule: scheduleOf(settings.schedule, settings.warmupSteps, steps), clipStyle: 'tf' },
          ...(this.heldOut
            ? { evaluate: { every: settings.evalEvery, metric: 'loss', mode: 'min', run: evaluate } }
            : {}),
        },
      },
      this.console,
    )
  }
}
