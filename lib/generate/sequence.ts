/** Ids of one sequence that grows up to a length known beforehand. */
export class Sequence {
  readonly #ids: Int32Array
  #length = 0

  constructor(
    prompt: ArrayLike<number>,
    maxLength: number,
    /** Which of the batch. */ readonly sentence: number,
    /** Which of the sequences that are returned. */ readonly row: number,
  ) {
    this.#ids = new Int32Array(Math.max(maxLength, prompt.length))
    this.#ids.set(prompt)
    this.#length = prompt.length
  }

  get length(): number {
    return this.#length
  }

  /** A view of the ids so far. */
  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#length)
  }

  push(id: number): void {
    this.#ids[this.#length++] = id
  }
}

/** Sequences of one length: the shorter ones filled up. */
export function padded(sequences: readonly Int32Array[], fill: number): Int32Array[] {
  const longest = sequences.reduce((most, ids) => Math.max(most, ids.length), 0)
  return sequences.map((ids) => {
    const row = new Int32Array(longest).fill(fill)
    row.set(ids)
    return row
  })
}
