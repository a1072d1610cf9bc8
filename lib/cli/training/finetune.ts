import { readJson } from '../../checkpoint/model-folder.ts'
import { resolveModelFolder } from '../../checkpoint/resolve.ts'
import { AutoTokenizer } from '../../models/index.ts'
import { parameterGroups } from '../../optim/index.ts'
import { batchesOf, loadWeights, lossObjective, type ModelWithLoss } from '../../train/index.ts'
import type { FinetuneSettings } from '../commands/finetune.ts'
import { computeWith } from '../compute.ts'
import type { Console } from '../console.ts'
import { finetuneDefaults } from './finetune-defaults.ts'
import { expectRunFolder, openRunFolder } from './folder.ts'
import { expectTokenizer, fineTuningOf, type LoadedModel } from './heads.ts'
import { optimizerOf, scheduleOf } from './optimizer.ts'
import { runTraining } from './run.ts'
import { taskOf } from './task-of.ts'

/** `duoformer finetune`, from the settings to the saved model. */
export async function runFinetune(given: FinetuneSettings, console: Console): Promise<void> {
  const task = taskOf(given.task)
  const folder = await resolveModelFolder(given.model, { signal: console.signal })
  const { value: json } = await readJson(folder, 'config.json')
  const settings = { ...finetuneDefaults(task, json), ...given }
  const { out, seed, batchSize, accumulate, epochs } = settings
  await computeWith(settings)
  await expectRunFolder(out, settings)
  const tokenizer = await AutoTokenizer.fromPretrained(given.tokenizer ?? folder)
  expectTokenizer(tokenizer, json)
  console.progress(() => 'reading data')
  const options = { seed, signal: console.signal }
  using tuning = await fineTuningOf(folder, tokenizer, { ...settings, task }, options)
  const { model, head, train, heldOut } = tuning
  await openRunFolder(out, settings, settings)
  const stepsPerEpoch = Math.ceil(train.length / batchSize / accumulate)
  const steps = settings.steps ?? Math.max(1, Math.round(epochs * stepsPerEpoch))
  const evalEvery = settings.evalEvery ?? Math.min(steps, stepsPerEpoch)
  const warmupSteps = settings.warmupSteps ?? Math.round(steps * settings.warmup)
  const { weightDecay, layerwiseDecay, lr, maxGradNorm, onNonFinite, activationCheckpointing, patience } = settings
  const groups = parameterGroups(model.namedParameters(), { weightDecay, layerwiseDecay })
  using optimizer = optimizerOf(settings.optimizer, groups, settings.adamw)
  const evaluate = {
    ...{ every: evalEvery, metric: head.metric, mode: 'max' as const },
    ...(patience === undefined ? {} : { patience }),
    run: () => head.evaluate(heldOut, batchSize),
  }
  const outcome = await runTraining(
    {
      ...{
        out,
        title: `Fine-tuning: ${typeof task === 'string' ? task : task.name}`,
        settings,
        resume: settings.resume,
      },
      objective: lossObjective(model as LoadedModel & ModelWithLoss<object>),
      data: batchesOf(head as never, train, { batchSize, seed }),
      ...{ maxSteps: steps, saveEvery: settings.saveEvery ?? evalEvery, keepLast: settings.keepLast },
      keepBest: heldOut.length > 0 ? 1 : 0,
      trainer: {
        ...{ optimizer, lr, accumulate, maxGradNorm, onNonFinite, activationCheckpointing, seed },
        schedule: scheduleOf(settings.schedule, warmupSteps, steps),
        ...(heldOut.length > 0 ? { evaluate } : {}),
      },
    },
    console,
  )
  if (outcome.reason === 'aborted') return
  if (outcome.bestCheckpoint !== null) await loadWeights(model, outcome.bestCheckpoint)
  await model.savePretrained(out)
  await tokenizer.savePretrained(out)
  const scores = heldOut.length > 0 ? await head.evaluate(heldOut, batchSize) : {}
  const shown = Object.entries(scores).map(([name, value]) => `${name} ${value.toFixed(4)}`)
  await console.print(`saved: ${out}${shown.length > 0 ? `  (held out: ${shown.join(', ')})` : ''}`)
}
