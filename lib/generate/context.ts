import { Tensor } from '../tensor.ts'

/** What logits processors know of the rows whose scores they change. They run in a scope, without a tape. */
export class LogitsContext {
  #ids: { ids: Tensor; lengths: Tensor } | null = null

  constructor(
    /** Ids of each row so far, the decoder's prompt included. */ readonly sequences: readonly Int32Array[],
    /** Sentence of each row. */ readonly sentences: ArrayLike<number>,
    /** Consecutive rows that belong to one sentence: the number of beams. */ readonly beams: number,
    /** Tokens of the decoder's prompt. */ readonly promptLength: number,
  ) {}

  /** `sequences` on the device: ids (R, L) int32, what is beyond a row's length undefined; lengths (R) int32. */
  get tensors(): { ids: Tensor; lengths: Tensor } {
    this.#ids ??= rectangle(this.sequences)
    return this.#ids
  }

  /** Rows whose length is in the range, in order. */
  rowsOfLength(from: number, to: number): number[] {
    return this.sequences.flatMap(({ length }, row) => (length >= from && length <= to ? [row] : []))
  }
}

/** Lists of different lengths as a rectangle on the device. */
export function rectangle(rows: readonly ArrayLike<number>[]): { ids: Tensor; lengths: Tensor } {
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 0)
  const ids = new Int32Array(rows.length * longest)
  rows.forEach((row, i) => {
    ids.set(row, i * longest)
  })
  return {
    ids: Tensor.from(ids, { shape: [rows.length, longest] }),
    lengths: Tensor.from(Int32Array.from(rows, (row) => row.length)),
  }
}
