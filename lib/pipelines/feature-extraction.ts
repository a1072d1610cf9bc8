import { AutoModel, ElectraModel, T5EncoderModel } from '../models/index.ts'
import { evaluate } from './evaluate.ts'
import { checkedBy, choice, flag, textOf } from './options.ts'
import type { Task } from './task.ts'
import { encodeTexts, type TruncationOptions, truncationChecks } from './truncation.ts'

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

/** Hidden states of texts: embeddings for search, clustering, or models of one's own. */
export const featureExtraction: Task<string, FeatureExtractionOptions, Features, T5EncoderModel | ElectraModel> = {
  classes: [T5EncoderModel, ElectraModel],
  loader: AutoModel,
  checkOptions: checkedBy<FeatureExtractionOptions>({
    pooling: choice('none', 'mean', 'cls'),
    normalize: flag,
    ...truncationChecks,
  }),
  checkInput: (op, input) => textOf(op, input),
  async run(context, inputs, options) {
    const { pooling = 'none', normalize = false } = options
    const batch = await encodeTexts(context, inputs, options)
    const { hidden } = await evaluate(context, () => ({ hidden: context.model.forward(batch).lastHiddenState }))
    const columns = batch.shape[1]
    const width = hidden.length / (inputs.length * columns)
    return batch.encodings.map(({ attentionMask }, row) => {
      const tokens = attentionMask.reduce((sum, bit) => sum + bit, 0)
      const states = hidden.slice(row * columns * width, (row * columns + tokens) * width)
      const data = pooling === 'mean' ? meanOf(states, width) : pooling === 'cls' ? states.slice(0, width) : states
      if (normalize) toUnitLength(data, width)
      return { data, shape: pooling === 'none' ? [tokens, width] : [width] }
    })
  },
}

function meanOf(states: Float32Array, width: number): Float32Array {
  const sums = new Float64Array(width)
  states.forEach((x, i) => {
    sums[i % width] = (sums[i % width] as number) + x
  })
  return Float32Array.from(sums, (sum) => sum / (states.length / width))
}

function toUnitLength(vectors: Float32Array, width: number): void {
  for (let at = 0; at < vectors.length; at += width) {
    const vector = vectors.subarray(at, at + width)
    const length = Math.hypot(...vector)
    if (length > 0) vector.set(vector.map((x) => x / length))
  }
}
