import { command } from '../command.ts'
import { flag, number } from '../flags.ts'
import { loadPipeline, printOutputs, runFlags } from '../pipeline-runs.ts'
import { scored } from '../scored.ts'
import { textsOf } from '../texts.ts'

export const detect = command({
  summary: "words that do not belong in a text, with ELECTRA's discriminator",
  details:
    'Prints each TEXT with the words in brackets that look as if they had replaced others, and how likely that is. Without TEXT and --file, reads standard input, one text a line.',
  positionals: { required: ['MODEL'], rest: 'TEXT' },
  flags: {
    threshold: number('P', 'probability from which a word counts as replaced [0.5]'),
    truncation: flag("cut texts to the tokenizer's model_max_length"),
    ...runFlags,
  },
  examples: ['detect ./electra-small-discriminator "The chef drove the meal."'],

  async run({ values, positionals: [model, ...given] }, console) {
    const { threshold = 0.5, truncation = false, json = false } = values
    const input = textsOf(given, values.file, console)
    using pipe = await loadPipeline('replaced-token-detection', model as string, values, input, console)
    const options = { threshold, truncation, signal: console.signal }
    await printOutputs(input, (lines) => pipe(lines, options), { line: marked, json: wordsOf }, json, console)
  },
})

interface Span {
  readonly start: number
  readonly end: number
  readonly score: number
  readonly replaced: boolean
}

interface Word extends Span {
  readonly word: string
}

/** The words of a text, each as likely to be replaced as the most suspicious of its tokens. */
function wordsOf(tokens: readonly Span[], text: string): Word[] {
  // Made here, since it takes longer than all else that the program does to start.
  const segmenter = new Intl.Segmenter('en', { granularity: 'word' })
  return [...segmenter.segment(text)].flatMap(({ segment: word, index: start }) => {
    const end = start + word.length
    const parts = tokens.filter((token) => token.start < end && token.end > start)
    if (parts.length === 0) return []
    const score = Math.max(...parts.map((token) => token.score))
    return [{ word, start, end, score, replaced: parts.some((token) => token.replaced) }]
  })
}

/** `The chef [drove 0.9731] the meal.` */
function marked(tokens: readonly Span[], text: string): string {
  let shown = ''
  let begun = 0
  for (const { word, start, end, score, replaced } of wordsOf(tokens, text)) {
    shown += text.slice(begun, start) + (replaced ? `[${scored(word, score)}]` : word)
    begun = end
  }
  return shown + text.slice(begun)
}
