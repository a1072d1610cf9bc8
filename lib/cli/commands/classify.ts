import { command } from '../command.ts'
import { choice, flag, integer } from '../flags.ts'
import { loadPipeline, printOutputs, runFlags } from '../pipeline-runs.ts'
import { scored } from '../scored.ts'
import { textsOf } from '../texts.ts'

export const classify = command({
  summary: 'classes of texts, with a classification head',
  details:
    'Prints the most likely classes of each TEXT and their scores. Without TEXT and --file, reads standard input, one text a line.',
  positionals: { required: ['MODEL'], rest: 'TEXT' },
  flags: {
    topK: integer('N', 'so many classes, the best first; 0: all [1]'),
    functionToApply: choice(['sigmoid', 'softmax', 'none'], "what makes scores of logits [by the model's config.json]"),
    truncation: flag("cut texts to the tokenizer's model_max_length"),
    ...runFlags,
  },
  examples: ['classify ./sentiment "What a lovely film."', 'classify ./sentiment --top-k 0 --json < reviews.txt'],

  async run({ values, positionals: [model, ...given] }, console) {
    const { topK = 1, functionToApply, truncation = false, json = false } = values
    const input = textsOf(given, values.file, console)
    using pipe = await loadPipeline('text-classification', model as string, values, input, console)
    const options = {
      topK: topK === 0 ? null : topK,
      truncation,
      ...(functionToApply === undefined ? {} : { functionToApply }),
      signal: console.signal,
    }
    const line = (classes: readonly { label: string; score: number }[]) =>
      classes.map(({ label, score }) => scored(label, score)).join(', ')
    await printOutputs(input, (lines) => pipe(lines, options), { line }, json, console)
  },
})
