import { DataError } from '../errors.ts'
import type { NumberArray } from '../models/index.ts'
import type { Seq2SeqExample } from './objectives/denoise.ts'
import type { ElectraExample } from './objectives/electra-masking.ts'

/** Rows of one length as models take them; their masks say what is padding, and models drop it before they compute. */
interface Grid extends NumberArray {
  readonly data: Int32Array
  readonly shape: readonly [rows: number, columns: number]
}

/** A batch as T5ForConditionalGeneration takes it. */
export interface Seq2SeqBatch {
  /** (B, S). */
  readonly inputIds: Grid
  /** (B, S), 1 where there is a token. */
  readonly attentionMask: Grid
  /** (B, T), −100 after the end. */
  readonly labels: Grid
  /** (B, T), 1 where there is a label. */
  readonly decoderAttentionMask: Grid
}

/** A batch as ElectraForJointPreTraining takes it, each (B, T). */
export interface ElectraBatch {
  readonly inputIds: Grid
  readonly attentionMask: Grid
  readonly tokenTypeIds: Grid
  readonly maskedInputIds: Grid
  /** −100 where nothing is to be predicted. */
  readonly labels: Grid
}

const ignored = -100

/** @param padTokenId what stands after the end of shorter inputs, though no model looks at it. @throws {DataError} for none. */
export function collateSeq2Seq(examples: readonly Seq2SeqExample[], padTokenId = 0): Seq2SeqBatch {
  const inputs = examples.map(({ inputIds }) => inputIds)
  const labels = examples.map((example) => example.labels)
  return {
    inputIds: padded(inputs, padTokenId),
    attentionMask: maskOf(inputs),
    labels: padded(labels, ignored),
    decoderAttentionMask: maskOf(labels),
  }
}

/** @param padTokenId as above. @throws {DataError} for no examples. */
export function collateElectra(examples: readonly ElectraExample[], padTokenId = 0): ElectraBatch {
  const column = (name: 'inputIds' | 'tokenTypeIds' | 'maskedInputIds' | 'labels', padding: number) =>
    padded(
      examples.map((example) => example[name]),
      padding,
    )
  return {
    inputIds: column('inputIds', padTokenId),
    attentionMask: maskOf(examples.map(({ inputIds }) => inputIds)),
    tokenTypeIds: column('tokenTypeIds', 0),
    maskedInputIds: column('maskedInputIds', padTokenId),
    labels: column('labels', ignored),
  }
}

function padded(rows: readonly Int32Array[], padding: number): Grid {
  if (rows.length === 0) throw new DataError('collate: expected at least one example, got none')
  const columns = rows.reduce((longest, row) => Math.max(longest, row.length), 0)
  const data = new Int32Array(rows.length * columns).fill(padding)
  for (const [i, row] of rows.entries()) data.set(row, i * columns)
  return { data, shape: [rows.length, columns] }
}

function maskOf(rows: readonly Int32Array[]): Grid {
  return padded(
    rows.map((row) => new Int32Array(row.length).fill(1)),
    0,
  )
}
