import { readJson } from '../../checkpoint/model-folder.ts'
import { resolveModelFolder } from '../../checkpoint/resolve.ts'
import { AutoTokenizer } from '../../models/index.ts'
import type { EvaluateSettings } from '../commands/evaluate.ts'
import { computeWith } from '../compute.ts'
import type { Console } from '../console.ts'
import { finetuneDefaults } from './finetune-defaults.ts'
import { expectTokenizer, fineTuningOf } from './heads.ts'
import { taskOf } from './task-of.ts'

/** `duoformer evaluate`. */
export async function runEvaluate(given: EvaluateSettings, console: Console): Promise<void> {
  const task = taskOf(given.task)
  const folder = await resolveModelFolder(given.model, { signal: console.signal })
  const { value: json } = await readJson(folder, 'config.json')
  const { maxLength, docStride, maxAnswerLength, batchSize } = finetuneDefaults(task, json)
  const settings = { maxLength, docStride, maxAnswerLength, batchSize, ...given, task, eval: given.data }
  await computeWith(given)
  const tokenizer = await AutoTokenizer.fromPretrained(given.tokenizer ?? folder)
  expectTokenizer(tokenizer, json)
  console.progress(() => 'reading data')
  using tuning = await fineTuningOf(folder, tokenizer, settings, { signal: console.signal })
  console.progress(() => `scoring ${tuning.heldOut.length.toLocaleString('en')} examples`)
  const scores = await tuning.head.evaluate(tuning.heldOut, settings.batchSize)
  if (given.json) return console.printJson(scores)
  for (const [name, value] of Object.entries(scores)) await console.print(`${name} ${value.toFixed(4)}`)
}
