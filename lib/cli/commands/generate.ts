import { ConfigError } from '../../errors.ts'
import { expectValid } from '../../generate/config.ts'
import { UsageError } from '../arguments.ts'
import { command } from '../command.ts'
import type { Console } from '../console.ts'
import { choice, flag, integer, number, only, text, texts, type Values } from '../flags.ts'
import { loadPipeline, printOutputs, runFlags } from '../pipeline-runs.ts'
import { textsOf } from '../texts.ts'

/** How to generate, over what the model's generation_config.json says. */
const generationFlags = {
  maxNewTokens: integer('N', 'most tokens to generate [256]', 1),
  minNewTokens: integer('N', 'no end before so many tokens'),
  maxLength: integer('N', 'longest sequence, start token included', 1),
  minLength: integer('N', 'shortest sequence, start token included [0]'),
  maxTime: number('SECONDS', 'stops everything after so long'),
  stopStrings: texts('TEXT', 'text that ends a sequence'),
  numBeams: integer('N', 'above 1: beam search [4; with --stream 1]', 1),
  earlyStopping: choice([true, false, 'never'], 'when a beam search ends [false]'),
  lengthPenalty: number('X', 'above 0 favours long beams [1]'),
  beamRules: choice(['huggingface', 't5'], 'rules of beam search [huggingface]'),
  numReturnSequences: integer('N', 'texts for each text: draws, or the best beams [1]', 1),
  doSample: flag('draw tokens instead of taking the best'),
  temperature: number('X', 'divides the logits [1]'),
  topK: integer('N', 'draw from the best tokens; 0: from all [50]'),
  topP: number('P', 'draw from the best tokens with this probability together [1]'),
  minP: number('P', "draw from tokens with this share of the best one's probability"),
  typicalP: number('P', 'draw from the most typical tokens with this probability together [1]'),
  epsilonCutoff: number('P', 'draw from tokens of this probability or more [0]'),
  etaCutoff: number('P', 'the same, lower where many tokens are likely [0]'),
  seed: integer('N', 'of what is drawn [another one each time]'),
  repetitionPenalty: number('X', 'above 1 discourages tokens that came before [1]'),
  encoderRepetitionPenalty: number('X', 'above 1 encourages tokens of the input [1]'),
  noRepeatNgramSize: integer('N', 'no n-gram of this size twice; 0: all [0]'),
  encoderNoRepeatNgramSize: integer('N', 'no n-gram of this size out of the input; 0: all [0]'),
  promptLookupNumTokens: integer('N', 'guess so many tokens from the input, and check them together', 1),
}

/** How texts become input. */
const inputFlags = {
  prefix: text('TEXT', 'put before each text, such as "summarize: "'),
  truncation: flag("cut texts to the tokenizer's model_max_length"),
}

export const generate = command({
  summary: 'text from text, with T5',
  details:
    'Prints the text that the model makes of each TEXT. What the options leave open is as generation_config.json says, else as in brackets. Without TEXT and --file, reads standard input, one text a line.',
  positionals: { required: ['MODEL'], rest: 'TEXT' },
  flags: {
    ...generationFlags,
    ...inputFlags,
    stream: flag('print as it is generated; not with beams'),
    ...runFlags,
  },
  examples: [
    'generate ./t5-small "translate English to German: Hello, how are you?"',
    'generate ./t5-small --prefix "summarize: " --file articles.txt --max-new-tokens 60',
    'generate ./t5-small --do-sample --temperature 0.8 --seed 1 --stream "Hello"',
  ],

  async run({ values, positionals: [model, ...given] }, console) {
    const { file, stream = false, json = false } = values
    const options = { ...only(values, generationFlags), ...only(values, inputFlags), signal: console.signal }
    expectUsable(values)
    const input = textsOf(given, file, console)
    using pipe = await loadPipeline('text2text-generation', model as string, values, input, console)
    if (!stream) await printOutputs(input, (lines) => pipe(lines, options), { line }, json, console)
    else for await (const text of input.lines) await printStream(text === '' ? [] : pipe.stream(text, options), console)
  },
})

async function printStream(pieces: AsyncIterable<string> | Iterable<string>, console: Console): Promise<void> {
  for await (const piece of pieces) await console.write(piece)
  await console.print('')
}

type Made = { readonly generatedText: string }

function line(output: Made | readonly Made[]): string {
  return [output]
    .flat()
    .map(({ generatedText }) => generatedText)
    .join('\n')
}

/** What can be known to be wrong before a model is loaded. */
function expectUsable(
  values: Values<typeof generationFlags> & { readonly stream?: boolean; readonly json?: boolean },
): void {
  try {
    expectValid(only(values, generationFlags))
  } catch (error) {
    throw error instanceof ConfigError ? new UsageError(error.message) : error
  }
  if (!values.stream) return
  if (values.json) throw new UsageError('expected --stream or --json, got both')
  if ((values.numBeams ?? 1) > 1)
    throw new UsageError('expected --stream without --num-beams, got both: beams change their past')
  if ((values.numReturnSequences ?? 1) > 1)
    throw new UsageError('expected --stream without --num-return-sequences, got both')
}
