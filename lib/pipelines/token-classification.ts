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
