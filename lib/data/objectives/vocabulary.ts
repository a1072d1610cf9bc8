import { ConfigError } from '../../errors.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'

/** What objectives of encoder-decoder models know of a vocabulary. */
export interface ObjectiveVocabulary {
  /** Ids of `<extra_id_0>`, `<extra_id_1>`, … in this order, which in T5's vocabularies is from the last id downwards. */
  readonly sentinelIds: Int32Array
  readonly eosTokenId: number
  /** First id that a token drawn at random may have: those below are for padding, end and unknown. @default 3 */
  readonly firstTokenId?: number
  /** Ids are below it. */
  readonly vocabSize: number
}

/** @throws {ConfigError} for a tokenizer without an end token or without sentinels. */
export function objectiveVocabulary(tokenizer: Tokenizer): ObjectiveVocabulary {
  const { eosTokenId, length } = tokenizer
  if (eosTokenId === null) throw new ConfigError('objective: expected a tokenizer with an eosToken, got none')
  const sentinelIds: number[] = []
  for (let id = tokenizer.tokenToId('<extra_id_0>'); id !== null; ) {
    sentinelIds.push(id)
    id = tokenizer.tokenToId(`<extra_id_${sentinelIds.length}>`)
  }
  if (sentinelIds.length === 0) {
    throw new ConfigError('objective: expected a tokenizer with sentinels <extra_id_0>, <extra_id_1>, …, got none')
  }
  return { sentinelIds: Int32Array.from(sentinelIds), eosTokenId, vocabSize: length }
}
