import { ConfigError, DTypeError, describe } from '../errors.ts'
import { AutoModelForQuestionAnswering, ElectraForQuestionAnswering, T5ForQuestionAnswering } from '../models/index.ts'
import type { Encoding } from '../tokenizers/encoding.ts'
import type { Tokenizer } from '../tokenizers/tokenizer.ts'
import { bestSpans, type Span } from './answer-spans.ts'
import { evaluate } from './evaluate.ts'
import { checkedBy, flag, integer, textOf } from './options.ts'
import type { Task, TaskContext } from './task.ts'

export interface QuestionAnsweringInput {
  readonly question: string
  /** Where the answer is looked for. */
  readonly context: string
}

export interface QuestionAnsweringOptions {
  /** Gives an array: at most so many answers, best first. @default the best answer alone */
  readonly topK?: number
  /** Tokens that windows of a long context share. @default 128, at most half of `maxSeqLen` */
  readonly docStride?: number
  /** Most tokens of question and context in a window. @default 384, at most the tokenizer's `modelMaxLength` */
  readonly maxSeqLen?: number
  /** Most tokens of a question, which is cut to them. @default no limit but `maxSeqLen` */
  readonly maxQuestionLen?: number
  /** Most tokens of an answer. @default 15 */
  readonly maxAnswerLen?: number
  /** Lets "no answer" win: an empty answer from 0 to 0. @default false */
  readonly handleImpossibleAnswer?: boolean
  /** Widens answers to whole words. @default true */
  readonly alignToWords?: boolean
}

export interface Answer {
  /** Probability in its window of context; answers of equal text share theirs. */
  score: number
  /** Where it stands in the context, in UTF-16 units: `context.slice(start, end)`. */
  start: number
  end: number
  answer: string
}

type Model = T5ForQuestionAnswering | ElectraForQuestionAnswering

/** Finds the answer to a question in a text; a long text is read in windows that overlap. */
export const questionAnswering: Task<QuestionAnsweringInput, QuestionAnsweringOptions, Answer | Answer[], Model> = {
  classes: [T5ForQuestionAnswering, ElectraForQuestionAnswering],
  loader: AutoModelForQuestionAnswering,
  checkOptions: checkedBy<QuestionAnsweringOptions>({
    topK: integer(1),
    docStride: integer(0),
    maxSeqLen: integer(1),
    maxQuestionLen: integer(1),
    maxAnswerLen: integer(1),
    handleImpossibleAnswer: flag,
    alignToWords: flag,
  }),
  checkInput(op, input) {
    if (typeof input !== 'object' || input === null || !('question' in input && 'context' in input)) {
      throw new DTypeError(`${op}: expected { question, context }, got ${describe(input)}`)
    }
    return { question: textOf(op, input.question, 'question'), context: textOf(op, input.context, 'context') }
  },
  async run(context, inputs, options) {
    const windows = await windowsOf(context, inputs, options)
    const answers: Answer[][] = inputs.map(() => [])
    const nullScores = inputs.map(() => Number.POSITIVE_INFINITY)
    const { topK = 1, maxAnswerLen = 15, alignToWords = true } = options
    // Some are left over once spans were widened to words and became equal.
    const wanted = alignToWords ? 2 * topK + 10 : topK
    for (const { sample, encoding, start, end } of await logitsOf(context, windows)) {
      const { tokenizer } = context
      const { spans, nullScore } = bestSpans({ start, end, ...contextOf(encoding, tokenizer) }, wanted, maxAnswerLen)
      nullScores[sample] = Math.min(nullScores[sample] as number, nullScore)
      for (const span of spans)
        addAnswer(answers[sample] as Answer[], span, encoding, inputs[sample]?.context as string, alignToWords)
    }
    return answers.map((found, i) => {
      if (options.handleImpossibleAnswer) found.push({ ...noAnswer, score: nullScores[i] as number })
      const best = found.sort((a, b) => b.score - a.score).slice(0, topK)
      return options.topK === undefined ? (best[0] ?? { ...noAnswer }) : best
    })
  },
}

const noAnswer: Answer = { score: 0, start: 0, end: 0, answer: '' }

/** A piece of context with its question. */
interface Window {
  /** Which of the inputs it is of. */
  readonly sample: number
  readonly encoding: Encoding
}

async function windowsOf(
  { op, tokenizer }: TaskContext<Model>,
  inputs: readonly QuestionAnsweringInput[],
  options: QuestionAnsweringOptions,
): Promise<Window[]> {
  const { maxSeqLen = Math.min(tokenizer.modelMaxLength, 384), maxQuestionLen } = options
  const { docStride = Math.min(Math.floor(maxSeqLen / 2), 128) } = options
  if (docStride > maxSeqLen) {
    throw new ConfigError(`${op}: expected docStride of at most maxSeqLen, ${maxSeqLen}, got ${docStride}`)
  }
  const questions = inputs.map(({ question }) => question)
  const cut = maxQuestionLen === undefined ? questions : await cutTexts(tokenizer, questions, maxQuestionLen)
  const pairs = inputs.map(({ context }, i) => [cut[i] as string, context] as const)
  const { encodings, overflowToSampleMapping } = await tokenizer.encode(pairs, {
    truncation: 'only_second',
    maxLength: maxSeqLen,
    stride: docStride,
    returnOverflowingTokens: true,
    paddingSide: 'right',
  })
  return encodings.map((encoding, i) => ({ sample: overflowToSampleMapping[i] as number, encoding }))
}

/** Texts as far as their first tokens go. */
async function cutTexts(tokenizer: Tokenizer, texts: readonly string[], maxLength: number): Promise<string[]> {
  return Promise.all(
    texts.map(async (text) => {
      const { offsets } = await tokenizer.encode(text, { addSpecialTokens: false, truncation: true, maxLength })
      return text.slice(0, offsets.at(-1))
    }),
  )
}

/** One text may have hundreds. */
const windowsAtOnce = 8

/** Runs the model over all windows. */
async function logitsOf(context: TaskContext<Model>, windows: readonly Window[]) {
  const { model, tokenizer } = context
  const results: (Window & { start: Float32Array; end: Float32Array })[] = []
  for (let at = 0; at < windows.length; at += windowsAtOnce) {
    const part = windows.slice(at, at + windowsAtOnce)
    const batch = tokenizer.pad(
      part.map(({ encoding }) => encoding),
      { paddingSide: 'right' },
    )
    const { start, end } = await evaluate(context, () => {
      const { startLogits, endLogits } = model.forward({ ...batch, outputMasked: false })
      return { start: startLogits, end: endLogits }
    })
    part.forEach((window, row) => {
      const of = (logits: Float32Array) => logits.subarray(row * batch.shape[1], (row + 1) * batch.shape[1])
      results.push({ ...window, start: of(start), end: of(end) })
    })
  }
  return results
}

/** Which tokens of a window an answer may be of, and which stand for none. */
function contextOf({ sequenceIds, inputIds }: Encoding, { clsTokenId }: Tokenizer) {
  return {
    isContext: Array.from(sequenceIds, (sequence) => sequence === 1),
    nullTokens: [...inputIds.keys()].filter((i) => inputIds[i] === clsTokenId),
  }
}

/** Adds a span to what was found before; one of equal text raises that one's score instead. */
function addAnswer(answers: Answer[], span: Span, encoding: Encoding, context: string, alignToWords: boolean): void {
  const [start, end] = charactersOf(span, encoding, alignToWords)
  const answer = context.slice(start, end)
  const same = answers.find((other) => other.answer.toLowerCase() === answer.toLowerCase())
  if (same) same.score += span.score
  else answers.push({ score: span.score, start, end, answer })
}

function charactersOf(span: Span, { offsets, wordIds, sequenceIds }: Encoding, alignToWords: boolean) {
  const startOf = (token: number) => offsets[2 * token] as number
  const endOf = (token: number) => offsets[2 * token + 1] as number
  const inWord = (of: number) => (i: number) => sequenceIds[i] === sequenceIds[of] && wordIds[i] === wordIds[of]
  const hasWords = wordIds[span.start] !== -1 && wordIds[span.end] !== -1
  if (!alignToWords || !hasWords) return [startOf(span.start), endOf(span.end)] as const
  const tokens = [...wordIds.keys()]
  return [
    startOf(tokens.find(inWord(span.start)) as number),
    endOf(tokens.findLast(inWord(span.end)) as number),
  ] as const
}
