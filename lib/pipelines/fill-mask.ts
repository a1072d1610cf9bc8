export interface FillMaskOptions {
  /** Predictions for each mask. @default 5 */
  readonly topK?: number
  /** Chooses among these tokens alone; a word that is no token counts as its first one. @default the whole vocabulary */
  readonly targets?: string | readonly string[]
}

export interface MaskPrediction {
  /** Probability of the token. */
  score: number
  /** Id of the token. */
  token: number
  tokenStr: string
  /** The text with the token in place of the mask. */
  sequence: string
}
