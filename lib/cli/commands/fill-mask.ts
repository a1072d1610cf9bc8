import { command } from '../command.ts'
import { flag, integer, texts } from '../flags.ts'
import { loadPipeline, printOutputs, runFlags } from '../pipeline-runs.ts'
import { scored } from '../scored.ts'
import { textsOf } from '../texts.ts'

export const fillMask = command({
  summary: "words for the masks of a text, with ELECTRA's generator",
  details:
    'Prints the most likely words for each [MASK] of each TEXT and their probabilities; several masks are separated by " | ". Without TEXT and --file, reads standard input, one text a line.',
  positionals: { required: ['MODEL'], rest: 'TEXT' },
  flags: {
    topK: integer('N', 'words for each mask [5]', 1),
    targets: texts('WORD', 'choose among these words alone'),
    truncation: flag("cut texts to the tokenizer's model_max_length"),
    ...runFlags,
  },
  examples: ['fill-mask ./electra-small-generator "Paris is the [MASK] of France."'],

  async run({ values, positionals: [model, ...given] }, console) {
    const { topK = 5, targets, truncation = false, json = false } = values
    const input = textsOf(given, values.file, console)
    using pipe = await loadPipeline('fill-mask', model as string, values, input, console)
    const options = { topK, truncation, ...(targets === undefined ? {} : { targets }), signal: console.signal }
    await printOutputs(input, (lines) => pipe(lines, options), { line }, json, console)
  },
})

interface Prediction {
  readonly tokenStr: string
  readonly score: number
}

function line(output: readonly Prediction[] | readonly (readonly Prediction[])[]): string {
  const masks = output.some(Array.isArray)
    ? (output as readonly (readonly Prediction[])[])
    : [output as readonly Prediction[]]
  return masks.map((words) => words.map(({ tokenStr, score }) => scored(tokenStr, score)).join(', ')).join(' | ')
}
