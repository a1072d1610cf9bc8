import { DataError, describe } from '../errors.ts'
import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import { type GenerationConfig, tokenList } from './config.ts'
import { type LogitsContext, rectangle } from './context.ts'
import { warpers } from './warpers.ts'

/** Changes the scores (R, V) of the next tokens; runs queued ops, in a scope and without a tape, and does not wait. */
export type LogitsProcessor = (scores: Tensor, context: LogitsContext) => Tensor

const bans = Symbol('bans')

/** One that bans tokens in rows of some lengths, which can be known without scores. */
interface Ban extends LogitsProcessor {
  readonly [bans]: { readonly tokens: readonly number[]; readonly from: number; readonly to: number }
}

/**
 * Tokens that a sequence may go on with; all others are banned.
 *
 * @param sentence which of the batch.
 * @param ids the sequence so far, the decoder's prompt included.
 */
export type PrefixAllowedTokensFn = (sentence: number, ids: Int32Array) => ArrayLike<number>

export interface ProcessorSettings {
  readonly config: GenerationConfig
  /** Tokens of the decoder's prompt. */
  readonly promptLength: number
  /** Longest sequence, the prompt included. */
  readonly maxLength: number
  /** Ids of each sentence's encoder input, padding included. */
  readonly encoderIds: readonly Int32Array[]
  readonly prefixAllowedTokensFn?: PrefixAllowedTokensFn | undefined
  /** The caller's own; they come after all but the rules of sampling. */
  readonly logitsProcessors?: readonly LogitsProcessor[] | undefined
}

/** What the configuration asks for, in the order in which Hugging Face applies it. */
export function buildProcessors(settings: ProcessorSettings): LogitsProcessor[] {
  const { config, prefixAllowedTokensFn, logitsProcessors = [] } = settings
  return [
    ...biases(config),
    ...penalties(settings),
    ...badWords(config),
    ...minimumLength(settings),
    ...(prefixAllowedTokensFn ? [allowed(prefixAllowedTokensFn)] : []),
    ...forced(settings),
    ...(config.removeInvalidValues ? [(scores: Tensor) => ops.replaceNonFinite(scores)] : []),
    ...lengthDecay(settings),
    ...suppressed(settings),
    ...logitsProcessors,
    ...warpers(config),
    ...(config.renormalizeLogits ? [(scores: Tensor) => ops.logSoftmax(scores)] : []),
  ]
}

export function applyProcessors(
  processors: readonly LogitsProcessor[],
  scores: Tensor,
  context: LogitsContext,
): Tensor {
  return processors.reduce((result, process) => process(result, context), scores)
}

/**
 * The tokens that are banned, if that is all that the processors do, and they do it to all rows alike; null otherwise.
 *
 * @param lengths of the rows.
 */
export function bannedAlone(
  processors: readonly LogitsProcessor[],
  lengths: readonly number[],
): readonly number[] | null {
  const banned: number[] = []
  for (const process of processors) {
    const ban = bans in process ? (process as Ban)[bans] : null
    const count = ban && lengths.filter((length) => length >= ban.from && length <= ban.to).length
    if (count === null || (count > 0 && count < lengths.length)) return null
    if (count > 0) banned.push(...(ban as Ban[typeof bans]).tokens)
  }
  return banned
}

const int32 = (values: ArrayLike<number>) => Tensor.from(Int32Array.from(values))

/** Every row with every token. */
function pairs(rows: readonly number[], tokens: readonly number[]): [rows: Tensor, tokens: Tensor] {
  return [int32(rows.flatMap((row) => tokens.map(() => row))), int32(rows.flatMap(() => tokens))]
}

function filled(count: number, value: number): Tensor {
  return Tensor.from(new Float32Array(count).fill(value))
}

/** Bans tokens in rows whose length is in a range. */
function ban(tokens: readonly number[], from = 0, to = Number.POSITIVE_INFINITY): Ban {
  const process: LogitsProcessor = (scores, context) => {
    const rows = context.rowsOfLength(from, to)
    if (rows.length === 0) return scores
    if (rows.length === context.sequences.length) return ops.banTokens(scores, int32(tokens))
    return ops.biasTokens(scores, ...pairs(rows, tokens), filled(rows.length * tokens.length, -Infinity))
  }
  return Object.assign(process, { [bans]: { tokens, from, to } })
}

function endsWith(sequence: Int32Array, ids: readonly number[]): boolean {
  const start = sequence.length - ids.length
  return start >= 0 && ids.every((id, i) => sequence[start + i] === id)
}

/** Biases on the last tokens of sequences, where the others precede. */
function biased(entries: readonly (readonly [ids: readonly number[], bias: number])[]): LogitsProcessor {
  return (scores, { sequences }) => {
    const rows: number[] = []
    const tokens: number[] = []
    const values: number[] = []
    for (const [ids, bias] of entries) {
      const [prefix, last] = [ids.slice(0, -1), ids.at(-1) as number]
      sequences.forEach((sequence, row) => {
        if (!endsWith(sequence, prefix)) return
        rows.push(row)
        tokens.push(last)
        values.push(bias)
      })
    }
    if (rows.length === 0) return scores
    return ops.biasTokens(scores, int32(rows), int32(tokens), Tensor.from(Float32Array.from(values)))
  }
}

function biases({ sequenceBias }: GenerationConfig): LogitsProcessor[] {
  if (!sequenceBias) return []
  // Of entries for the same ids the last counts.
  return [biased([...new Map(sequenceBias.map((entry) => [entry[0].join(), entry])).values()])]
}

function badWords({ badWordsIds, eosTokenId }: GenerationConfig): LogitsProcessor[] {
  if (!badWordsIds) return []
  const ends = tokenList(eosTokenId)
  // An end token is no word: banning it would leave no way to stop.
  const words = badWordsIds.filter((ids) => ids.length > 1 || !ends.includes(ids[0] as number))
  const single = words.filter((ids) => ids.length === 1).flat()
  const longer = words.filter((ids) => ids.length > 1)
  return [
    ...(single.length > 0 ? [ban(single)] : []),
    ...(longer.length > 0 ? [biased(longer.map((ids) => [ids, -Infinity]))] : []),
  ]
}

function penalties({ config, encoderIds }: ProcessorSettings): LogitsProcessor[] {
  const { encoderRepetitionPenalty, repetitionPenalty, noRepeatNgramSize: n, encoderNoRepeatNgramSize: source } = config
  const sourcesOf = ({ sentences }: LogitsContext) =>
    rectangle(Array.from(sentences, (sentence) => encoderIds[sentence] as Int32Array))
  const list: LogitsProcessor[] = []
  if (encoderRepetitionPenalty !== 1) {
    list.push((scores, context) => {
      const { ids, lengths } = sourcesOf(context)
      return ops.penalizeRepetition(scores, ids, 1 / encoderRepetitionPenalty, { lengths })
    })
  }
  if (repetitionPenalty !== 1) {
    list.push((scores, { tensors: { ids, lengths } }) =>
      ops.penalizeRepetition(scores, ids, repetitionPenalty, { lengths }),
    )
  }
  if (n > 0) {
    list.push((scores, { tensors: { ids, lengths } }) => ops.banRepeatedNgrams(scores, ids, n, { lengths }))
  }
  if (source > 0) {
    list.push((scores, context) => {
      const { ids, lengths } = context.tensors
      const { ids: sources, lengths: sourceLengths } = sourcesOf(context)
      return ops.banRepeatedNgrams(scores, ids, source, { lengths, sources, sourceLengths })
    })
  }
  return list
}

function minimumLength({ config, promptLength }: ProcessorSettings): LogitsProcessor[] {
  const { minLength, minNewTokens } = config
  const least = minNewTokens === null ? minLength : promptLength + minNewTokens
  const ends = tokenList(config.eosTokenId)
  if (ends.length === 0 || least === 0) return []
  return [ban(ends, 0, least - 1)]
}

function allowed(fn: PrefixAllowedTokensFn): LogitsProcessor {
  return (scores, { sequences, sentences, beams }) => {
    const rows: number[] = []
    const tokens: number[] = []
    sequences.forEach((sequence, row) => {
      const sentence = sentences[row] as number
      const ids = fn(sentence, sequence.slice())
      if (!(ids?.length > 0)) {
        const got = describe(ids)
        throw new DataError(`prefixAllowedTokensFn: expected at least one token for sentence ${sentence}, got ${got}`)
      }
      for (let i = 0; i < ids.length; i++) {
        rows.push(row)
        tokens.push(ids[i] as number)
      }
    })
    return ops.allowTokens(scores, int32(rows), int32(tokens), { group: beams })
  }
}

function force(length: number, tokens: readonly number[]): LogitsProcessor {
  return (scores, context) => {
    const rows = context.rowsOfLength(length, length)
    return rows.length === 0 ? scores : ops.forceTokens(scores, ...pairs(rows, tokens))
  }
}

function forced({ config, maxLength }: ProcessorSettings): LogitsProcessor[] {
  const { forcedBosTokenId, forcedEosTokenId } = config
  return [
    ...(forcedBosTokenId === null ? [] : [force(1, [forcedBosTokenId])]),
    ...(forcedEosTokenId === null ? [] : [force(maxLength - 1, tokenList(forcedEosTokenId))]),
  ]
}

function lengthDecay({ config, promptLength }: ProcessorSettings): LogitsProcessor[] {
  const ends = tokenList(config.eosTokenId)
  if (!config.exponentialDecayLengthPenalty || ends.length === 0) return []
  const [start, factor] = config.exponentialDecayLengthPenalty
  const from = promptLength + start
  return [
    (scores, context) => {
      const rows = context.rowsOfLength(from + 1, Number.POSITIVE_INFINITY)
      if (rows.length === 0) return scores
      const factors = rows.flatMap((row) => {
        const { length } = context.sequences[row] as Int32Array
        return ends.map(() => factor ** (length - from) - 1)
      })
      return ops.boostTokens(scores, ...pairs(rows, ends), Tensor.from(Float32Array.from(factors)))
    },
  ]
}

function suppressed({ config, promptLength }: ProcessorSettings): LogitsProcessor[] {
  const { suppressTokens, beginSuppressTokens, forcedBosTokenId } = config
  // A forced first token is not the beginning.
  const begin = promptLength === 1 && forcedBosTokenId !== null ? 2 : promptLength
  const list: LogitsProcessor[] = []
  if (suppressTokens) list.push(ban(suppressTokens))
  if (beginSuppressTokens) {
    list.push(ban(beginSuppressTokens, begin, begin))
  }
  return list
}
