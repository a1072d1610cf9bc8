// From scores of tokens to entities, with Hugging Face's rules.

import { argmax } from './scores.ts'
import type { AggregationStrategy, EntityGroup } from './token-classification.ts'

/** A token with its scores. */
export interface ScoredToken {
  /** Place among the tokens of the text, special ones included. */
  readonly index: number
  /** Probability of each class. */
  readonly scores: Float64Array
  readonly word: string
  readonly start: number
  readonly end: number
  /** Whether it goes on with the word of the token before. */
  readonly isSubword: boolean
}

/** A token, or a word, with one class. */
export interface Tagged {
  readonly entity: string
  readonly score: number
  readonly word: string
  readonly start: number
  readonly end: number
}

/** What aggregation needs to know of a model and its tokenizer. */
export interface Naming {
  readonly id2label: readonly string[]
  textOf(words: readonly string[]): string
}

/** Joins the tokens of a text to entities. */
export function entityGroups(
  tokens: readonly ScoredToken[],
  strategy: Exclude<AggregationStrategy, 'none'>,
  naming: Naming,
): EntityGroup[] {
  const tagged =
    strategy === 'simple'
      ? tokens.map((token) => tag(token, naming))
      : splitBefore(tokens, ({ isSubword }) => !isSubword).map((word) => tagWord(word, strategy, naming))
  return splitBefore(tagged, startsEntity).map((parts) => groupOf(parts, naming))
}

/** A token with its best class. */
export function tag({ scores, word, start, end }: ScoredToken, { id2label }: Naming): Tagged {
  const label = argmax(scores)
  return { entity: id2label[label] as string, score: scores[label] as number, word, start, end }
}

/** Cuts a list before the items that start something; the first does so in any case. */
function splitBefore<T>(items: readonly T[], starts: (item: T, before: T) => boolean): [T, ...T[]][] {
  const parts: [T, ...T[]][] = []
  items.forEach((item, i) => {
    if (i === 0 || starts(item, items[i - 1] as T)) parts.push([item])
    else parts.at(-1)?.push(item)
  })
  return parts
}

function tagWord(
  tokens: readonly [ScoredToken, ...ScoredToken[]],
  strategy: 'first' | 'average' | 'max',
  naming: Naming,
): Tagged {
  const [first] = tokens
  const scores = {
    first: () => first.scores,
    max: () => (tokens[argmax(tokens.map((token) => Math.max(...token.scores)))] as ScoredToken).scores,
    average: () => first.scores.map((_, label) => mean(tokens.map((token) => token.scores[label] as number))),
  }[strategy]()
  const word = naming.textOf(tokens.map((token) => token.word))
  return tag({ ...first, scores, word, end: (tokens.at(-1) as ScoredToken).end }, naming)
}

/** `B-` starts an entity, `I-` goes on with one, and so do names without either. */
function startsEntity(current: Tagged, before: Tagged): boolean {
  return current.entity.startsWith('B-') || kindOf(current) !== kindOf(before)
}

function kindOf({ entity }: Tagged): string {
  return entity.replace(/^[BI]-/, '')
}

function groupOf(parts: readonly [Tagged, ...Tagged[]], naming: Naming): EntityGroup {
  const [first] = parts
  return {
    // A name may have a mark of another scheme, such as S- or E-.
    entityGroup: first.entity.slice(first.entity.indexOf('-') + 1),
    score: mean(parts.map(({ score }) => score)),
    word: naming.textOf(parts.map(({ word }) => word)),
    start: first.start,
    end: (parts.at(-1) as Tagged).end,
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Of entities that windows found twice, the longer one stays, of equal length the one with the better score. */
export function withoutOverlaps(groups: readonly EntityGroup[]): EntityGroup[] {
  const sorted = [...groups].sort((a, b) => a.start - b.start)
  const kept: EntityGroup[] = []
  for (const group of sorted) {
    const last = kept.at(-1)
    if (!last || group.start >= last.end || group.start < last.start) kept.push(group)
    else if (isBetter(group, last)) kept[kept.length - 1] = group
  }
  return kept
}

function isBetter(a: EntityGroup, b: EntityGroup): boolean {
  const [lengthA, lengthB] = [a.end - a.start, b.end - b.start]
  return lengthA > lengthB || (lengthA === lengthB && a.score > b.score)
}
