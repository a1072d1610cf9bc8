import type { Row } from '../../data/index.ts'
import { DataError } from '../../errors.ts'
import { answerScores } from '../../metrics/index.ts'
import type { BatchEncoding, Encoding } from '../../tokenizers/encoding.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { type Head, parts } from './head.ts'
import { numberIn, type PlacedRow, textIn, textsIn } from './rows.ts'

/** A question about a text, with its right answers. */
export interface Question {
  readonly question: string
  readonly context: string
  /** None where the context has no answer. */
  readonly answers: readonly string[]
  /** Where the first answer stands in the context, in UTF-16 units. */
  readonly start: number
}

/** A window of the context with the question, and the tokens of the answer; both 0 where it does not hold it. */
export interface QuestionWindow {
  readonly encoding: Encoding
  readonly start: number
  readonly end: number
}

/**
 * @param rows with `question`, `context`, and `answers` with their `text` and `answer_start`, which counts code points; or
 *   with `answers` alone, which then stand where the context has them first.
 * @throws {DataError} for other rows, and for answers that do not stand where they should.
 */
export function questionsIn(rows: readonly PlacedRow[]): Question[] {
  return rows.map((placed) => {
    const { row, place } = placed
    const [question, context] = [textIn(placed, 'question'), textIn(placed, 'context')]
    const given = row.answers
    const isSquad = typeof given === 'object' && given !== null && !Array.isArray(given)
    const answers = isSquad ? textsIn({ row: given as Row, place }, 'text') : textsIn(placed, 'answers')
    const [first] = answers
    if (first === undefined) return { question, context, answers, start: 0 }
    const starts = isSquad ? (given as Row).answer_start : [[...context.slice(0, context.indexOf(first))].length]
    const start = unitsOf(
      context,
      numberIn({ row: { answer_start: (starts as unknown[])?.[0] }, place }, 'answer_start'),
    )
    if (context.startsWith(first, start)) return { question, context, answers, start }
    throw new DataError(
      `data: expected the answer ${JSON.stringify(first)} to stand in the context of ${place}, got none there`,
    )
  })
}

/** UTF-16 units of the first code points of a text. */
function unitsOf(text: string, codePoints: number): number {
  let units = 0
  for (let i = 0; i < codePoints; i++) units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1
  return units
}

export interface WindowOptions {
  /** Most tokens of question and context. */
  readonly maxLength: number
  /** Tokens that neighbouring windows share. */
  readonly docStride: number
  /** Keeps windows without the answer, which the first token, `[CLS]`, then stands for. T5 has no such token. */
  readonly withoutAnswer: boolean
}

const questionsPerCall = 64

/** Windows of each context that together hold all of it, and overlap; what is trained on, by the first answer. */
export async function questionWindows(
  questions: readonly Question[],
  tokenizer: Tokenizer,
  { maxLength, docStride, withoutAnswer }: WindowOptions,
): Promise<QuestionWindow[]> {
  const windows: QuestionWindow[] = []
  for (const part of parts(questions, questionsPerCall)) {
    const pairs = part.map(({ question, context }) => [question, context] as const)
    const { encodings, overflowToSampleMapping } = (await tokenizer.encode(pairs, {
      ...{ truncation: 'only_second', maxLength, stride: Math.min(docStride, Math.floor(maxLength / 2)) },
      ...{ returnOverflowingTokens: true, paddingSide: 'right' },
    })) as BatchEncoding
    for (const [i, padded] of encodings.entries()) {
      const encoding = padded.padded({ left: 0, right: 0, id: 0, token: '' })
      const { start: from, answers } = part[overflowToSampleMapping[i] as number] as Question
      const span = answers[0] === undefined ? null : tokensOf(encoding, from, from + answers[0].length)
      if (span || withoutAnswer) windows.push({ encoding, ...(span ?? { start: 0, end: 0 }) })
    }
  }
  return windows
}

/** First and last token of a piece of the context; null unless all of it is there. */
function tokensOf({ offsets, sequenceIds }: Encoding, from: number, to: number): { start: number; end: number } | null {
  const covers = (token: number, unit: number) =>
    sequenceIds[token] === 1 && (offsets[2 * token] as number) <= unit && unit < (offsets[2 * token + 1] as number)
  const tokens = [...sequenceIds.keys()]
  const [start, end] = [tokens.find((token) => covers(token, from)), tokens.findLast((token) => covers(token, to - 1))]
  return start === undefined || end === undefined ? null : { start, end }
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
        this.questions.map(({ answers }) => (answers.length === 0 ? [''] : answers)),
      ),
    }
  }
}
