import { ConfigError } from '../errors.ts'
import {
  AutoModelForTokenClassification,
  ElectraForTokenClassification,
  T5ForTokenClassification,
} from '../models/index.ts'
import type { Encoding } from '../tokenizers/encoding.ts'
import type { Tokenizer } from '../tokenizers/tokenizer.ts'
import { entityGroups, type Naming, type ScoredToken, tag, withoutOverlaps } from './entity-groups.ts'
import { evaluate } from './evaluate.ts'
import { checkedBy, choice, integer, textOf, texts } from './options.ts'
import { softmax } from './scores.ts'
import type { Task, TaskContext } from './task.ts'

/**
 * How tokens become entities: `'none'` gives tokens; the others join neighbours of one entity. `'simple'` takes each token's
 * own class; `'first'`, `'average'` and `'max'` give the tokens of a word one class, that of its first token, of the mean of
 * their scores, or of the token with the best score.
 */
export type AggregationStrategy = 'none' | 'simple' | 'first' | 'average' | 'max'

export interface TokenClassificationOptions {
  /** @default 'none' */
  readonly aggregationStrategy?: AggregationStrategy
  /** Classes, or entities, that are left out. @default ['O'] */
  readonly ignoreLabels?: readonly string[]
  /**
   * Reads texts that are too long in windows that share so many tokens; needs another `aggregationStrategy` than 'none'.
   * @default texts are cut to what the tokenizer's `modelMaxLength` says
   */
  readonly stride?: number
}

/** A token and its class. */
export interface Entity {
  /** Name of the class, as `id2label` of config.json has it. */
  entity: string
  score: number
  /** Place among the tokens of the text, special ones included. */
  index: number
  /** The token as the vocabulary has it. */
  word: string
  /** Where it stands in the text, in UTF-16 units: `text.slice(start, end)`. */
  start: number
  end: number
}

/** Neighbouring tokens of one entity. */
export interface EntityGroup {
  /** Name of the class without `B-` or `I-`. */
  entityGroup: string
  /** Mean over the tokens, or words. */
  score: number
  /** The tokens, joined. */
  word: string
  /** Where it stands in the text, in UTF-16 units: `text.slice(start, end)`. */
  start: number
  end: number
}

type Model = T5ForTokenClassification | ElectraForTokenClassification

/** Names the class of each token: persons, places, parts of speech. */
export const tokenClassification: Task<string, TokenClassificationOptions, Entity[] | EntityGroup[], Model> = {
  classes: [T5ForTokenClassification, ElectraForTokenClassification],
  loader: AutoModelForTokenClassification,
  checkOptions: checkedBy<TokenClassificationOptions>({
    aggregationStrategy: choice('none', 'simple', 'first', 'average', 'max'),
    ignoreLabels: texts,
    stride: integer(0),
  }),
  checkInput: (op, input) => textOf(op, input),
  async run(context, inputs, { aggregationStrategy: strategy = 'none', ignoreLabels = ['O'], stride }) {
    const { tokenizer, model } = context
    const batch = await tokenizer.encode(inputs, { paddingSide: 'right', ...windowing(context, strategy, stride) })
    const { logits } = await evaluate(context, () => ({ logits: model.forward(batch).logits }))
    const { id2label, numLabels } = model.config
    const naming = { id2label, textOf: (words: readonly string[]) => tokenizer.convertTokensToString(words) }
    const windows = inputs.map((): (Entity[] | EntityGroup[])[] => [])
    batch.encodings.forEach((encoding, row) => {
      const sample = batch.overflowToSampleMapping[row] as number
      const rows = logits.subarray(row * batch.shape[1] * numLabels, (row + 1) * batch.shape[1] * numLabels)
      const tokens = scoredTokens(tokenizer, inputs[sample] as string, encoding, rows)
      windows[sample]?.push(
        strategy === 'none'
          ? entitiesOf(tokens, naming).filter(({ entity }) => !ignoreLabels.includes(entity))
          : entityGroups(tokens, strategy, naming).filter(({ entityGroup }) => !ignoreLabels.includes(entityGroup)),
      )
    })
    // Only groups are found in windows that overlap.
    return windows.map((found) =>
      found.length === 1 ? (found[0] as Entity[] | EntityGroup[]) : withoutOverlaps(found.flat() as EntityGroup[]),
    )
  },
}

/** How texts beyond the tokenizer's limit are read: cut, or in windows. */
function windowing({ op, tokenizer }: TaskContext<Model>, strategy: AggregationStrategy, stride: number | undefined) {
  if (stride !== undefined && strategy === 'none') {
    throw new ConfigError(`${op}: expected an aggregationStrategy with stride, got none: windows overlap`)
  }
  if (tokenizer.modelMaxLength === Number.POSITIVE_INFINITY) return {}
  return { truncation: true, ...(stride !== undefined && { stride, returnOverflowingTokens: true }) }
}

function entitiesOf(tokens: readonly ScoredToken[], naming: Naming): Entity[] {
  return tokens.map((token) => {
    const { entity, ...place } = tag(token, naming)
    return { entity, index: token.index, ...place }
  })
}

/** The tokens of a text but for special ones. @param logits (T · numLabels) of the text. */
function scoredTokens(tokenizer: Tokenizer, text: string, encoding: Encoding, logits: Float32Array): ScoredToken[] {
  const { tokens, inputIds, offsets, specialTokensMask } = encoding
  const numLabels = logits.length / tokens.length
  return tokens.flatMap((token, index) => {
    if (specialTokensMask[index]) return []
    const [start, end] = [offsets[2 * index] as number, offsets[2 * index + 1] as number]
    const source = text.slice(start, end)
    const isUnknown = inputIds[index] === tokenizer.unkTokenId
    return {
      index,
      scores: softmax(logits.subarray(index * numLabels, (index + 1) * numLabels)),
      word: isUnknown ? source : token,
      start,
      end,
      isSubword: !isUnknown && isSubword(tokenizer, token, text, start, source),
    }
  })
}

/** Where a vocabulary does not mark what goes on with a word, a token does so unless a space stands before or in it. */
function isSubword({ continuingPrefix }: Tokenizer, token: string, text: string, start: number, source: string) {
  if (continuingPrefix !== null) return [...token].length !== [...source].length
  return start > 0 && !text.slice(start - 1, start + 1).includes(' ')
}
