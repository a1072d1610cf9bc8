import type { DecoderState } from './model.ts'
import { queued, read } from './run.ts'
import type { Sequence } from './sequence.ts'

/** Guesses how sequences go on, for a model to check several tokens at a time. */
export interface Draft {
  /**
   * @param rows the running sequences.
   * @param most tokens of a guess.
   * @returns a guess for each row, which may be empty.
   */
  propose(rows: readonly Sequence[], most: number): Promise<readonly ArrayLike<number>[]>
  /** Called when rows have grown by tokens that may differ from the guess. */
  update(rows: readonly Sequence[]): void
  /** Only these of the rows go on. */
  select(rows: readonly number[]): void
  dispose(): void
}

/**
 * Takes the tokens that followed the last n-gram where it occurred before: in the sequence, else in the encoder's input.
 *
 * @see Saxena 2023, Prompt Lookup Decoding. https://github.com/apoorvumang/prompt-lookup-decoding
 */
export class PromptLookup implements Draft {
  /** @param sources ids of each sentence's input. */
  constructor(
    private readonly sources: readonly Int32Array[],
    private readonly maxMatchingNgramSize: number,
  ) {}

  async propose(rows: readonly Sequence[], most: number): Promise<readonly Int32Array[]> {
    return rows.map(({ ids, sentence }) => this.#guess(ids, this.sources[sentence] as Int32Array, most))
  }

  update(): void {}
  select(): void {}
  dispose(): void {}

  #guess(ids: Int32Array, source: Int32Array, most: number): Int32Array {
    for (let n = Math.min(this.maxMatchingNgramSize, ids.length); n > 0; n--) {
      const ngram = ids.subarray(ids.length - n)
      for (const text of [ids, source]) {
        const start = endOf(ngram, text)
        if (start !== null) return text.slice(start, start + most)
      }
    }
    return new Int32Array(0)
  }
}

/** Where the n-gram first ends in a text with something after it. */
function endOf(ngram: Int32Array, text: Int32Array): number | null {
  for (let start = 0; start + ngram.length < text.length; start++) {
    if (ngram.every((id, i) => text[start + i] === id)) return start + ngram.length
  }
  return null
}

/** Greedy search of a smaller model. Leviathan et al. 2023. https://arxiv.org/abs/2211.17192 */
export class ModelDraft implements Draft {
  /** Tokens that each row was fed. */
  #fed: number[]

  /** @param state with a row for each sequence, to which nothing was fed. */
  constructor(
    private readonly state: DecoderState,
    rows: number,
  ) {
    this.#fed = new Array<number>(rows).fill(0)
  }

  async propose(rows: readonly Sequence[], most: number): Promise<readonly number[][]> {
    const guesses: number[][] = rows.map(() => [])
    let next: readonly ArrayLike<number>[] = rows.map(({ ids }, i) => ids.subarray(this.#fed[i]))
    for (let n = 0; n < most; n++) {
      const { ids } = await read(queued(this.state, () => ({ ids: this.state.best(next, []) })))
      this.#fed = this.#fed.map((fed, i) => fed + (next[i] as ArrayLike<number>).length)
      guesses.forEach((guess, i) => {
        guess.push((ids as Int32Array)[i] as number)
      })
      next = guesses.map((guess) => guess.slice(-1))
    }
    return guesses
  }

  update(rows: readonly Sequence[]): void {
    // The newest token is fed with the next guess; what was guessed wrong before it is taken back.
    this.#fed = this.#fed.map((fed, i) => Math.min(fed, (rows[i] as Sequence).length - 1))
    queued(this.state, () => this.state.truncate(this.#fed))
  }

  select(rows: readonly number[]): void {
    this.#fed = rows.map((row) => this.#fed[row] as number)
    queued(this.state, () => this.state.select(rows))
  }

  dispose(): void {
    this.state.dispose()
  }
}
