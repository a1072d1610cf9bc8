import { ConfigError, DataError } from '../errors.ts'
import { AutoModelForMaskedLM, ElectraForMaskedLM } from '../models/index.ts'
import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import type { BatchEncoding, Encoding } from '../tokenizers/encoding.ts'
import { evaluate } from './evaluate.ts'
import { checkedBy, either, integer, text, textOf, texts } from './options.ts'
import { topIndices } from './scores.ts'
import type { Task, TaskContext } from './task.ts'
import { encodeTexts, type TruncationOptions, truncationChecks } from './truncation.ts'

export interface FillMaskOptions extends TruncationOptions {
  /** Predictions for each mask. @default 5 */
  readonly topK?: number
  /** Chooses among these tokens alone; a word that is no token counts as its first one. @default the whole vocabulary */
  readonly targets?: string | readonly string[]
}

export interface MaskPrediction {
  /** Probability of the token, whatever the targets. */
  score: number
  /** Id of the token. */
  token: number
  tokenStr: string
  /** The text with the token in place of the mask, other masks as they are. */
  sequence: string
}

type Context = TaskContext<ElectraForMaskedLM>

/** A mask token: which text it is of, and where. */
interface Mask {
  readonly row: number
  readonly position: number
}

/** Predicts what stands behind mask tokens; a text with several of them gives an array of predictions for each. */
export const fillMask: Task<string, FillMaskOptions, MaskPrediction[] | MaskPrediction[][], ElectraForMaskedLM> = {
  classes: [ElectraForMaskedLM],
  loader: AutoModelForMaskedLM,
  checkOptions: checkedBy<FillMaskOptions>({ topK: integer(1), targets: either(text, texts), ...truncationChecks }),
  checkInput: (op, input) => textOf(op, input),
  async run(context, inputs, options) {
    const candidates = await candidatesOf(context, options.targets)
    const batch = await encodeTexts(context, inputs, options)
    const masks = batch.encodings.map((encoding, row) => masksOf(context, encoding, row, inputs[row] as string))
    const all = masks.flat()
    const { probabilities } = await evaluate(context, () => ({
      probabilities: ops.softmax(logitsAt(context.model, batch, all)),
    }))
    const { vocabSize } = context.model.config
    const rows = all.map((_, i) => probabilities.subarray(i * vocabSize, (i + 1) * vocabSize))
    return Promise.all(
      masks.map(async (ofText) => {
        const encoding = batch.encodings[ofText[0]?.row as number] as Encoding
        const predictions = await Promise.all(
          ofText.map((mask) => {
            const best = bestTokens(rows[all.indexOf(mask)] as Float32Array, candidates, options.topK ?? 5)
            return predictionsOf(context, encoding, mask, best, ofText.length === 1)
          }),
        )
        return ofText.length === 1 ? (predictions[0] as MaskPrediction[]) : predictions
      }),
    )
  },
}

function masksOf({ op, tokenizer }: Context, { inputIds }: Encoding, row: number, input: string): Mask[] {
  const { maskToken, maskTokenId } = tokenizer
  if (maskTokenId === null) throw new ConfigError(`${op}: expected a tokenizer with a mask token, got none`)
  const masks = [...inputIds.keys()].filter((i) => inputIds[i] === maskTokenId)
  if (masks.length > 0) return masks.map((position) => ({ row, position }))
  throw new DataError(`${op}: expected a text with ${maskToken}, got ${JSON.stringify(input)}`)
}

/** Logits of the masks alone, (M, vocabSize): the other tokens' would be by far the largest tensor. */
function logitsAt(model: ElectraForMaskedLM, batch: BatchEncoding, masks: readonly Mask[]): Tensor {
  const pass = { training: false, seed: 0, step: 0 }
  const packed = model.trunk.pack(model.constructor.name, batch, () => false)
  const run = { pass, checkpointing: false, outputHiddenStates: false, outputAttentions: false }
  const { hidden, rows } = model.trunk.forward(packed, run)
  // Padding is on the right, so that a token's row is its position.
  const places = Int32Array.from(masks, ({ row, position }) => (rows.packing.cuSeqlens[row] as number) + position)
  return model.logits(model.predict(ops.gatherRows(hidden, Tensor.from(places))))
}

/** Ids to choose from; null for all. */
async function candidatesOf({ op, tokenizer }: Context, targets: FillMaskOptions['targets']): Promise<number[] | null> {
  if (targets === undefined) return null
  const ids = await Promise.all(
    [targets].flat().map(async (target) => {
      const id = tokenizer.tokenToId(target)
      if (id !== null) return id
      const [first] = (await tokenizer.encode(target, { addSpecialTokens: false })).inputIds
      if (first !== undefined) return first
      throw new DataError(`${op}: expected targets with a token each, got ${JSON.stringify(target)}`)
    }),
  )
  if (ids.length > 0) return [...new Set(ids)]
  throw new ConfigError(`${op}: expected at least one of targets, got none`)
}

/** The best tokens with their probabilities. */
function bestTokens(probabilities: Float32Array, candidates: readonly number[] | null, count: number) {
  if (!candidates) return topIndices(probabilities, count).map((id) => ({ id, score: probabilities[id] as number }))
  const scores = candidates.map((id) => probabilities[id] as number)
  return topIndices(scores, count).map((i) => ({ id: candidates[i] as number, score: scores[i] as number }))
}

async function predictionsOf(
  { tokenizer }: Context,
  { inputIds, attentionMask }: Encoding,
  { position }: Mask,
  best: readonly { readonly id: number; readonly score: number }[],
  skipSpecialTokens: boolean,
): Promise<MaskPrediction[]> {
  const length = attentionMask.lastIndexOf(1) + 1
  const filled = best.map(({ id }) => inputIds.slice(0, length).fill(id, position, position + 1))
  const [sequences, words] = await Promise.all([
    tokenizer.batchDecode(filled, { skipSpecialTokens }),
    tokenizer.batchDecode(best.map(({ id }) => [id])),
  ])
  return best.map(({ id, score }, i) => ({
    score,
    token: id,
    tokenStr: words[i] as string,
    sequence: sequences[i] as string,
  }))
}
