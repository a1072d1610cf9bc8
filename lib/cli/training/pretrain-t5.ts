import { denoisingBatches, namedObjectives, objectiveVocabulary, type Seq2SeqBatch } from '../../data/index.ts'
import { parseT5Config, T5ForConditionalGeneration, t5Sizes } from '../../models/index.ts'
import { parameterGroups } from '../../optim/index.ts'
import { trainUnigram } from '../../tokenizers/training/unigram.ts'
import { evaluateObjective, lossObjective } from '../../train/index.ts'
import type { T5Settings } from '../commands/pretrain-t5.ts'
import { computeWith } from '../compute.ts'
import type { Console } from '../console.ts'
import { firstOf } from './first-of.ts'
import { expectRunFolder, openRunFolder } from './folder.ts'
import { optimizerOf, scheduleOf } from './optimizer.ts'
import { aTenthOf, corpusOf, expectFiles, expectFitting, modelJson, textsOf, tokenizerOf } from './pretraining.ts'
import { runTraining } from './run.ts'

const defaults = {
  size: 'small',
  objective: { spanCorruption: 1, copying: 1 },
  noiseDensity: 0.15,
  meanNoiseSpanLength: 3,
  unit: 'document',
  vocabSize: 8192,
  maxLength: 128,
  evalBatches: 50,
  batchSize: 32,
  accumulate: 1,
  steps: 10_000,
  lr: 2e-3,
  schedule: 'cosine',
  optimizer: 'adamw',
  weightDecay: 0,
  maxGradNorm: 1,
  onNonFinite: 'skip',
  activationCheckpointing: false,
  seed: 0,
  keepLast: 1,
  resume: false,
  overwrite: false,
} as const

/** Settings with defaults filled in. */
function resolved(given: T5Settings) {
  const settings = { ...defaults, ...given }
  const tenth = aTenthOf(settings.steps)
  return { warmupSteps: tenth, evalEvery: tenth, saveEvery: tenth, ...settings }
}

/** `duoformer pretrain t5`, from the settings to the saved model. */
export async function runT5(given: T5Settings, console: Console): Promise<void> {
  const settings = resolved(given)
  const { out, resume, train, from, seed } = settings
  await computeWith(settings)
  await expectRunFolder(out, settings)
  await expectFiles(settings)
  await openRunFolder(out, settings, settings)
  const tokenizer = await tokenizerOf(settings.tokenizer ?? from, out, resume, () =>
    trainUnigram(textsOf(train, settings, console), { vocabSize: settings.vocabSize, signal: console.signal }),
  )
  const vocabulary = objectiveVocabulary(tokenizer)
  const corpus = await corpusOf(train, tokenizer, false, settings, console)
  const heldOut = settings.eval ? await corpusOf(settings.eval, tokenizer, false, settings, console) : null
  const { noiseDensity, meanNoiseSpanLength, maxLength, batchSize } = settings
  const examples = namedObjectives(settings.objective, { vocabulary, maxLength, noiseDensity, meanNoiseSpanLength })
  const batches = (documents: typeof corpus, epochs: number, shuffled: boolean) =>
    denoisingBatches(documents, { tokenizer, batchSize, seed, epochs, shuffled, ...examples })
  try {
    using model = from
      ? await T5ForConditionalGeneration.fromPretrained(from)
      : new T5ForConditionalGeneration(
          parseT5Config(await modelJson(t5Sizes[settings.size], settings.modelConfig, tokenizer)),
          { seed },
        )
    expectFitting(tokenizer, model.config.vocabSize)
    const objective = lossObjective<Seq2SeqBatch>(model)
    const groups = parameterGroups(model.namedParameters(), { weightDecay: settings.weightDecay })
    // AdamW as T5 trains well with it: steps in proportion to the size of what they change.
    using optimizer = optimizerOf(settings.optimizer, groups, { eps: 1e-6, rmsScale: true })
    const evaluate = async () => {
      const { loss } = await evaluateObjective(
        objective,
        firstOf(batches(heldOut as typeof corpus, 1, false), settings.evalBatches),
      )
      return { loss: loss as number, perplexity: Math.exp(loss as number) }
    }
    const { lr, accumulate, maxGradNorm, onNonFinite, activationCheckpointing, steps } = settings
    const { reason } = await runTraining(
      {
        ...{ out, title: 'T5: pre-training', settings, resume, objective, maxSteps: steps },
        data: batches(corpus, Infinity, true),
        ...{ saveEvery: settings.saveEvery, keepLast: settings.keepLast },
        trainer: {
          ...{ optimizer, lr, accumulate, maxGradNorm, onNonFinite, activationCheckpointing, seed },
          schedule: scheduleOf(settings.schedule, settings.warmupSteps, steps),
          ...(heldOut ? { evaluate: { every: settings.evalEvery, metric: 'loss', mode: 'min', run: evaluate } } : {}),
        },
      },
      console,
    )
    if (reason === 'aborted') return
    await model.savePretrained(out)
    await tokenizer.savePretrained(out)
    await console.print(`saved: ${out}`)
  } finally {
    await corpus.close()
    await heldOut?.close()
  }
}
