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
  /** Probability; answers of equal text share one. */
  score: number
  /** Where it stands in the context, in UTF-16 units: `context.slice(start, end)`. */
  start: number
  end: number
  answer: string
}
