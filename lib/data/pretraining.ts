// Batches for pre-training, from tokenized documents: the stages of both families in their order.
import type { Tokenizer } from '../tokenizers/tokenizer.ts'
import { collateElectra, collateSeq2Seq, type ElectraBatch, type Seq2SeqBatch } from './collate.ts'
import { type Dataset, sample } from './dataset.ts'
import type { Objective } from './objectives/denoise.ts'
import { type ElectraMaskingOptions, electraMasking } from './objectives/electra-masking.ts'
import { electraSegments, electraVocabulary } from './objectives/electra-segments.ts'
import { prefetch } from './prefetch.ts'
import { segments } from './segments.ts'
import { batch, filter, flatMap, map, shuffle } from './stages.ts'
import type { Stream } from './stream.ts'

export interface BatchOptions {
  readonly tokenizer: Tokenizer
  /** Examples of a batch. */
  readonly batchSize: number
  /** @default 0 */
  readonly seed?: number
  /** Times that all documents are read. @default Infinity */
  readonly epochs?: number
  /** Reads documents in a random order, and shuffles examples in blocks of 1,024. @default true */
  readonly shuffled?: boolean
}

export interface ElectraBatchOptions extends BatchOptions, Omit<ElectraMaskingOptions, 'vocabulary'> {}

export interface DenoisingBatchOptions extends BatchOptions {
  /** What is made of each segment. */
  readonly objective: Objective
  /** Tokens of a segment: see `spanCorruptionLengths` and `copyingLengths`. */
  readonly segmentLength: number
}

/** Examples that change places. */
const shuffledBlock = 1024
/** Batches that are ready before they are asked for. */
const batchesAhead = 2

/**
 * Masked examples for ELECTRA's generator and discriminator, or for masked-language models.
 *
 * @param documents as the ids of their lines, without special tokens.
 * @throws {ConfigError} for options out of their range, and a tokenizer without the special tokens.
 */
export function electraBatches(documents: Dataset<Int32Array[]>, options: ElectraBatchOptions): Stream<ElectraBatch> {
  const { tokenizer, batchSize, shuffled = true, maxLength = 128, ...masking } = options
  const vocabulary = electraVocabulary(tokenizer)
  const { maskRate, replaceRate, withReplacement } = masking
  const mask = electraMasking({
    ...{ vocabulary, maxLength },
    ...(maskRate === undefined ? {} : { maskRate }),
    ...(replaceRate === undefined ? {} : { replaceRate }),
    ...(withReplacement === undefined ? {} : { withReplacement }),
  })
  const padTokenId = tokenizer.padTokenId ?? 0
  const examples = read(documents, options).through(flatMap(electraSegments({ vocabulary, maxLength })))
  const batches = mixed(examples, shuffled)
    .through(map(mask))
    // Where nothing but special tokens is left, there is nothing to predict.
    .through(filter(({ maskedPositions }) => maskedPositions.length > 0))
    .through(batch(batchSize))
    .through(map((group) => collateElectra(group, padTokenId)))
  return prefetch(batches, batchesAhead)
}

/**
 * Examples for an encoder-decoder model, by any objective.
 *
 * @param documents as ids, without special tokens.
 * @throws {ConfigError} for options out of their range.
 */
export function denoisingBatches(documents: Dataset<Int32Array>, options: DenoisingBatchOptions): Stream<Seq2SeqBatch> {
  const { tokenizer, batchSize, shuffled = true, objective, segmentLength } = options
  const padTokenId = tokenizer.padTokenId ?? 0
  const batches = mixed(read(documents, options).through(segments({ segmentLength })), shuffled)
    // A single token is either noise or not: there is nothing to learn of it.
    .through(filter((tokens) => tokens.length > 1))
    .through(map(objective))
    .through(batch(batchSize))
    .through(map((group) => collateSeq2Seq(group, padTokenId)))
  return prefetch(batches, batchesAhead)
}

function read<T>(documents: Dataset<T>, { seed = 0, epochs = Infinity, shuffled = true }: BatchOptions): Stream<T> {
  return sample(documents, { seed, epochs, shuffle: shuffled })
}

function mixed<T>(examples: Stream<T>, shuffled: boolean): Stream<T> {
  return shuffled ? examples.through(shuffle(shuffledBlock)) : examples
}
