import { ElectraForPreTraining } from '../models/index.ts'
import { evaluate } from './evaluate.ts'
import { checkedBy, share, textOf } from './options.ts'
import { sigmoid } from './scores.ts'
import type { Task } from './task.ts'
import { encodeTexts, type TruncationOptions, truncationChecks } from './truncation.ts'

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

/**
 * Points out tokens that do not belong where they stand: what ELECTRA's discriminator was trained to do. Special tokens
 * are left out.
 *
 * @see Clark et al. 2020. https://arxiv.org/abs/2003.10555
 */
export const replacedTokenDetection: Task<
  string,
  ReplacedTokenDetectionOptions,
  DetectedToken[],
  ElectraForPreTraining
> = {
  classes: [ElectraForPreTraining],
  loader: ElectraForPreTraining,
  checkOptions: checkedBy<ReplacedTokenDetectionOptions>({ threshold: share, ...truncationChecks }),
  checkInput: (op, input) => textOf(op, input),
  async run(context, inputs, options) {
    const { threshold = 0.5 } = options
    const batch = await encodeTexts(context, inputs, options)
    const { logits } = await evaluate(context, () => ({ logits: context.model.forward(batch).logits }))
    return batch.encodings.map(({ tokens, offsets, specialTokensMask }, row) =>
      tokens.flatMap((token, t) => {
        if (specialTokensMask[t]) return []
        const score = sigmoid(logits[row * batch.shape[1] + t] as number)
        const [start, end] = [offsets[2 * t] as number, offsets[2 * t + 1] as number]
        return { token, start, end, score, replaced: score >= threshold }
      }),
    )
  },
}
