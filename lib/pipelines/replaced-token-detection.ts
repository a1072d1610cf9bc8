import type { TruncationOptions } from './truncation.ts'

export interface ReplacedTokenDetectionOptions extends TruncationOptions {
  /** Score from which a token counts as replaced. @default 0.5 */
  readonly threshold?: number
}

/** A token of the text, and whether the discriminator thinks that it was put there. */
export interface DetectedToken {
  /** The token as the vocabulary has it. */
  token: string
  /** Where it stands in the text, in UTF-16 units: `text.slice(start, end)`. */
  start: number
  end: number
  /** Probability that it was replaced. */
  score: number
  replaced: boolean
}
