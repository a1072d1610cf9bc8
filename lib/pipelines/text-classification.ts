import { DTypeError, describe } from '../errors.ts'
import {
  AutoModelForSequenceClassification,
  ElectraForSequenceClassification,
  T5ForSequenceClassification,
} from '../models/index.ts'
import { evaluate } from './evaluate.ts'
import { checkedBy, choice, either, integer, none, textOf } from './options.ts'
import { sigmoid, softmax, topIndices } from './scores.ts'
import type { Task, TaskContext } from './task.ts'
import { encodeTexts, type TruncationOptions, truncationChecks } from './truncation.ts'

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

type Model = T5ForSequenceClassification | ElectraForSequenceClassification

/** Classifies texts, or pairs of texts: sentiment, topic, entailment, similarity. */
export const textClassification: Task<
  TextClassificationInput,
  TextClassificationOptions,
  TextClass | TextClass[],
  Model
> = {
  classes: [T5ForSequenceClassification, ElectraForSequenceClassification],
  loader: AutoModelForSequenceClassification,
  checkOptions: checkedBy<TextClassificationOptions>({
    topK: either(integer(1), none),
    functionToApply: choice('sigmoid', 'softmax', 'none'),
    ...truncationChecks,
  }),
  checkInput(op, input) {
    if (typeof input === 'string') return textOf(op, input)
    if (typeof input === 'object' && input !== null && 'text' in input && 'textPair' in input) {
      return { text: textOf(op, input.text, 'text'), textPair: textOf(op, input.textPair, 'textPair') }
    }
    throw new DTypeError(`${op}: expected a text, or { text, textPair }, got ${describe(input)}`)
  },
  async run(context, inputs, options) {
    const pairs = inputs.map((input) => (typeof input === 'string' ? input : ([input.text, input.textPair] as const)))
    const batch = await encodeTexts(context, pairs, options)
    const { id2label, numLabels } = context.model.config
    const { functionToApply = defaultFunction(context.model), topK } = options
    const rows = new Array<TextClass | TextClass[]>(inputs.length)
    for (const group of groupsOf(context, batch.encodings)) {
      const part = context.tokenizer.pad(group.map((i) => batch.encodings[i] as (typeof batch.encodings)[number]))
      const { logits } = await evaluate(context, () => ({ logits: context.model.forward(part).logits }))
      group.forEach((i, row) => {
        const scores = scoresOf(logits.subarray(row * numLabels, (row + 1) * numLabels), functionToApply)
        const classOf = (label: number) => ({ label: id2label[label] as string, score: scores[label] as number })
        const best = topIndices(scores, topK === undefined ? 1 : (topK ?? numLabels)).map(classOf)
        rows[i] = topK === undefined ? (best[0] as TextClass) : best
      })
    }
    return rows
  },
}

function defaultFunction({ config }: Model): 'sigmoid' | 'softmax' | 'none' {
  const { problemType, numLabels } = config
  if (problemType === 'regression') return 'none'
  return problemType === 'multi_label_classification' || numLabels === 1 ? 'sigmoid' : 'softmax'
}

function scoresOf(logits: Float32Array, functionToApply: 'sigmoid' | 'softmax' | 'none'): Float64Array {
  if (functionToApply === 'softmax') return softmax(logits)
  return Float64Array.from(logits, functionToApply === 'sigmoid' ? sigmoid : undefined)
}

/** Rows that go together: T5 takes batches of texts with as many end-of-sequence tokens each, and a text may spell one. */
function groupsOf({ model }: TaskContext<Model>, encodings: readonly { readonly inputIds: Int32Array }[]): number[][] {
  if (model instanceof ElectraForSequenceClassification) return [[...encodings.keys()]]
  const groups = new Map<number, number[]>()
  encodings.forEach(({ inputIds }, i) => {
    const ends = inputIds.filter((id) => id === model.config.eosTokenId).length
    groups.set(ends, [...(groups.get(ends) ?? []), i])
  })
  return [...groups.values()]
}
