import { DataError } from '../../errors.ts'
import { answerScores } from '../../metrics/index.ts'
import type { BatchEncoding, Encoding } from '../../tokenizers/encoding.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import type { Head } from './head.ts'
import { type PlacedRow, textIn, textsIn } from './rows.ts'

/** A question about a text, with its right answers. */
export interface Question {
  readonly question: string
  readonly context: string
  readonly answers: readonly string[]
  /** Where each stands in the context, in UTF-16 units. */
  readonly starts: readonly number[]
}

/** A window of the context with the question, and the tokens of the answer; both 0 where it does not hold it. */
export interface QuestionWindow {
  readonly encoding: Encoding
  readonly start: number
  readonly end: number
}

/** @throws {DataError} for rows without `question`, `context`, `answers` and `starts`, or with answers that do not stand there. */
export function questionsIn(rows: readonly PlacedRow[]): Question[] {
  return rows.map((placed) => {
    const { row, place } = placed
    const [question, context, answers] = [
      textIn(placed, 'question'),
      textIn(placed, 'context'),
      textsIn(placed, 'answers'),
    ]
    const starts = (row.starts ?? answers.map((answer) => context.indexOf(answer))) as readonly number[]
    const stand = answers.every(
      (answer, i) => context.startsWith(answer, starts[i] as number) && (starts[i] as number) >= 0,
    )
    if (answers.length > 0 && stand) return { question, context, answers, starts }
    throw new DataError(`data: expected answers that stand in the context in ${place}, got ${JSON.stringify(answers)}`)
  })
}

/**
 * Windows of each context that together hold all of it, and overlap; trained on are all of them, by the first answer.
 *
 * @param docStride tokens that neighbours share.
 */
export async function questionWindows(
  questions: readonly Question[],
  tokenizer: Tokenizer,
  { maxLength, docStride }: { readonly maxLength: number; readonly docStride: number },
): Promise<QuestionWindow[]> {
  const pairs = questions.map(({ question, context }) => [question, context] as const)
  const { encodings, overflowToSampleMapping } = (await tokenizer.encode(pairs, {
    ...{ truncation: 'only_second', maxLength, stride: docStride, returnOverflowingTokens: true, paddingSide: 'right' },
  })) as BatchEncoding
  return encodings.map((encoding, i) => {
    const { starts, answers } = questions[overflowToSampleMapping[i] as number] as Question
    const from = starts[0] as number
    return { encoding, ...tokensOf(encoding, from, from + (answers[0] as string).length) }
  })
}

/** First and last token of a piece of the context. */
function tokensOf({ offsets, sequenceIds }: Encoding, from: number, to: number): { start: number; end: number } {
  let [start, end] = [0, 0]
  let [holdsStart, holdsEnd] = [false, false]
  for (const [token, sequence] of sequenceIds.entries()) {
    if (sequence !== 1) continue
    const [first, last] = [offsets[2 * token] as number, offsets[2 * token + 1] as number]
    if (first <= from && from < last) [start, holdsStart] = [token, true]
    if (first < to && to <= last) [end, holdsEnd] = [token, true]
  }
  return holdsStart && holdsEnd ? { start, end } : { start: 0, end: 0 }
}

/** Fine-tunes a head that points at the answer. How answers are read off its scores is the caller's: that of pipelines. */
export class QuestionAnsweringHead implements Head<QuestionWindow, object> {
  readonly metric = 'f1'

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly questions: readonly Question[],
    private readonly answer: (questions: readonly Question[], batchSize: number) => Promise<string[]>,
  ) {}

  collate(windows: readonly QuestionWindow[]) {
    const batch = this.tokenizer.pad(
      windows.map(({ encoding }) => encoding),
      { paddingSide: 'right' },
    )
    const { shape, inputIds, attentionMask, tokenTypeIds } = batch
    const [startPositions, endPositions] = [windows.map(({ start }) => start), windows.map(({ end }) => end)]
    return { shape, inputIds, attentionMask, tokenTypeIds, startPositions, endPositions }
  }

  /** Exact match and F1 over whole contexts. */
  async evaluate(_windows: readonly QuestionWindow[], batchSize: number): Promise<Record<string, number>> {
    const found = await this.answer(this.questions, batchSize)
    return {
      ...answerScores(
        found,
        this.questions.map(({ answers }) => answers),
      ),
    }
  }
}
