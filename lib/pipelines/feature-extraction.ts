import type { TruncationOptions } from './truncation.ts'

export interface FeatureExtractionOptions extends TruncationOptions {
  /** One vector a text: the mean over its tokens, or the first token's. @default 'none': one a token */
  readonly pooling?: 'none' | 'mean' | 'cls'
  /** Scales vectors to length 1. @default false */
  readonly normalize?: boolean
}

/** Hidden states of the encoder. */
export interface Features {
  /** Row-major. */
  data: Float32Array
  /** (T, D), special tokens included; (D) with pooling. */
  shape: number[]
}
