import type { TruncationOptions } from './truncation.ts'

/** A text, or a pair of texts. */
export type TextClassificationInput = string | { readonly text: string; readonly textPair: string }

export interface TextClassificationOptions extends TruncationOptions {
  /** Gives an array: so many of the best classes, or all for null, best first. @default the best class alone */
  readonly topK?: number | null
  /**
   * What makes scores of the model's logits. @default 'none' for regression, 'sigmoid' for several labels at once or a
   * single one, else 'softmax'
   */
  readonly functionToApply?: 'sigmoid' | 'softmax' | 'none'
}

export interface TextClass {
  /** Name of the class, as `id2label` of config.json has it. */
  label: string
  score: number
}
