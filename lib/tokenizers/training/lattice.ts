import type { Slices } from './slices.ts'
import type { SpeltWords } from './spelt-words.ts'
import type { Substrings } from './substrings.ts'

/** Words between two looks at the clock. */
const wordBlock = 32

/**
 * @internal All ways to cut words into pieces, which are some of the substrings, all single characters among them. An
 * edge is a piece at a position. Scores are log-probabilities by piece.
 */
export class Lattice {
  readonly #words: SpeltWords
  readonly #lengths: Int32Array
  // (P + 1) first edge of each position, whose edges are neighbours, the shorter first.
  readonly #first: Int32Array
  // (E) piece of each edge.
  readonly #edges: Int32Array
  // By position within a word, its end included.
  readonly #best: Float64Array
  readonly #choice: Int32Array
  readonly #mass: Float64Array
  // By edge within a word.
  readonly #shares: Float64Array

  private constructor(words: SpeltWords, lengths: Int32Array, first: Int32Array, edges: Int32Array) {
    this.#words = words
    this.#lengths = lengths
    this.#first = first
    this.#edges = edges
    let [longest, most] = [0, 0]
    const { starts } = words
    for (let w = 1; w < starts.length; w++) {
      const [start, end] = [starts[w - 1] as number, starts[w] as number]
      longest = Math.max(longest, end - start)
      most = Math.max(most, (first[end] as number) - (first[start] as number))
    }
    this.#best = new Float64Array(longest)
    this.#choice = new Int32Array(longest)
    this.#mass = new Float64Array(longest)
    this.#shares = new Float64Array(most)
  }

  /** @param pieces ascending. */
  static async build(words: SpeltWords, substrings: Substrings, pieces: Int32Array, slices: Slices): Promise<Lattice> {
    const { order, begins, ends, lengths } = substrings
    const next = new Int32Array(words.symbols.length + 1)
    for (const piece of pieces) {
      await slices.eachRange(begins[piece] as number, ends[piece] as number, (from, to) => {
        for (const position of order.subarray(from, to)) next[position] = (next[position] as number) + 1
      })
    }
    let total = 0
    await slices.eachRange(0, next.length, (from, to) => {
      for (let position = from; position < to; position++) {
        const count = next[position] as number
        next[position] = total
        total += count
      }
    })
    const first = next.slice()
    const edges = new Int32Array(total)
    for (const piece of pieces) {
      await slices.eachRange(begins[piece] as number, ends[piece] as number, (from, to) => {
        for (const position of order.subarray(from, to)) {
          const edge = next[position] as number
          edges[edge] = piece
          next[position] = edge + 1
        }
      })
    }
    return new Lattice(words, lengths, first, edges)
  }

  /** Takes out the edges of all but some pieces. */
  async retain(pieces: Int32Array, slices: Slices): Promise<void> {
    const kept = new Uint8Array(this.#lengths.length)
    for (const piece of pieces) kept[piece] = 1
    const first = this.#first
    const edges = this.#edges
    const last = first.length - 1
    let [from, to] = [0, 0]
    await slices.eachRange(0, last, (begin, end) => {
      for (let position = begin; position < end; position++) {
        const next = first[position + 1] as number
        first[position] = to
        for (; from < next; from++) {
          const piece = edges[from] as number
          if (kept[piece] === 1) edges[to++] = piece
        }
      }
    })
    first[last] = to
  }

  /** How often each piece is expected in all words, over all ways to cut them: the E-step. */
  async expectedCounts(scores: Float64Array, slices: Slices): Promise<Float64Array> {
    const expected = new Float64Array(scores.length)
    await this.#eachWord(slices, (start, end) => this.#expect(start, end, scores, expected))
    return expected
  }

  /** How often each piece is in the best cuts of all words. */
  async bestCounts(scores: Float64Array, slices: Slices): Promise<Float64Array> {
    const counts = new Float64Array(scores.length)
    await this.#eachWord(slices, (start, end) => {
      this.#findBest(start, end, scores, -1)
      const count = this.#words.counts[start] as number
      for (const piece of this.#bestPieces(start, end)) counts[piece] = (counts[piece] as number) + count
    })
    return counts
  }

  /** The best cut of a piece of several characters into others, given one of its positions. */
  otherPieces(piece: number, position: number, scores: Float64Array): number[] {
    const end = position + (this.#lengths[piece] as number)
    this.#findBest(position, end, scores, piece)
    return this.#bestPieces(position, end)
  }

  async #eachWord(slices: Slices, visit: (start: number, end: number) => void): Promise<void> {
    const { starts } = this.#words
    for (let w = 0; w + 1 < starts.length; w++) {
      visit(starts[w] as number, (starts[w + 1] as number) - 1)
      if (w % wordBlock === 0 && slices.due) await slices.rest()
    }
  }

  /**
   * Backward sums of probabilities give the share of each edge among those that leave its position; the mass of a
   * position, which begins as 1 at the word's start, then flows along the edges.
   */
  #expect(start: number, end: number, scores: Float64Array, expected: Float64Array): void {
    const first = this.#first
    const edges = this.#edges
    const lengths = this.#lengths
    const best = this.#best
    const mass = this.#mass
    const shares = this.#shares
    const firstEdge = first[start] as number
    best[end - start] = 0
    for (let position = end - 1; position >= start; position--) {
      const from = first[position] as number
      const to = first[position + 1] as number
      let most = -Infinity
      for (let edge = from; edge < to; edge++) {
        const piece = edges[edge] as number
        const score = (scores[piece] as number) + (best[position + (lengths[piece] as number) - start] as number)
        shares[edge - firstEdge] = score
        if (score > most) most = score
      }
      let sum = 0
      for (let edge = from - firstEdge; edge < to - firstEdge; edge++) {
        const share = Math.exp((shares[edge] as number) - most)
        shares[edge] = share
        sum += share
      }
      for (let edge = from - firstEdge; edge < to - firstEdge; edge++) shares[edge] = (shares[edge] as number) / sum
      best[position - start] = most + Math.log(sum)
      mass[position - start] = 0
    }
    mass[0] = this.#words.counts[start] as number
    for (let position = start; position < end; position++) {
      const here = mass[position - start] as number
      const to = first[position + 1] as number
      for (let edge = first[position] as number; edge < to; edge++) {
        const piece = edges[edge] as number
        const count = here * (shares[edge - firstEdge] as number)
        expected[piece] = (expected[piece] as number) + count
        const next = position + (lengths[piece] as number) - start
        mass[next] = (mass[next] as number) + count
      }
    }
  }

  /** Viterbi's algorithm, from the end; of equally good pieces, the shortest. */
  #findBest(start: number, end: number, scores: Float64Array, excluded: number): void {
    const first = this.#first
    const edges = this.#edges
    const lengths = this.#lengths
    const best = this.#best
    best[end - start] = 0
    for (let position = end - 1; position >= start; position--) {
      let most = -Infinity
      let choice = -1
      const to = first[position + 1] as number
      for (let edge = first[position] as number; edge < to; edge++) {
        const piece = edges[edge] as number
        const next = position + (lengths[piece] as number)
        if (next > end) break
        const score = (scores[piece] as number) + (best[next - start] as number)
        if (score > most && piece !== excluded) {
          most = score
          choice = piece
        }
      }
      best[position - start] = most
      this.#choice[position - start] = choice
    }
  }

  #bestPieces(start: number, end: number): number[] {
    const pieces: number[] = []
    for (let position = start; position < end; ) {
      const piece = this.#choice[position - start] as number
      pieces.push(piece)
      position += this.#lengths[piece] as number
    }
    return pieces
  }
}
