import { PairHeap } from './pair-heap.ts'
import type { Slices } from './slices.ts'

/** A pair of neighbouring symbols: its count over all words, and where its left symbols are or were. */
interface Pair {
  readonly left: number
  readonly right: number
  count: number
  readonly positions: number[]
}

// Pairs are numbered left · 2^24 + right; symbols are fewer than that.
const keyBase = 2 ** 24

/** @internal Words as rows of symbols, in which the most frequent neighbours become one symbol again and again. */
export class MergingWords {
  readonly #symbols: number[] = []
  readonly #next: number[] = []
  readonly #previous: number[] = []
  readonly #weights: number[] = []
  readonly #pairs = new Map<number, Pair>()
  readonly #heap = new PairHeap()

  /** @param count how often the word is there. */
  add(word: readonly number[], count: number): void {
    word.forEach((symbol, i) => {
      const at = this.#symbols.length
      this.#symbols.push(symbol)
      this.#weights.push(count)
      this.#previous.push(i === 0 ? -1 : at - 1)
      this.#next.push(i === word.length - 1 ? -1 : at + 1)
    })
  }

  /** Must be called once, after all words and before the first merge. */
  async countPairs(slices: Slices): Promise<void> {
    for (let at = 0; at < this.#symbols.length; at++) {
      if (this.#next[at] !== -1) this.#add(at)
      if (at % 1024 === 0 && slices.due) await slices.rest()
    }
    for (const { count, left, right } of this.#pairs.values()) {
      this.#heap.push({ count, left, right })
      if (slices.due) await slices.rest()
    }
  }

  /** The most frequent pair, taken out; null when no pair is seen `minCount` times. */
  pop(minCount: number): readonly [left: number, right: number] | null {
    for (;;) {
      const entry = this.#heap.pop()
      if (!entry) return null
      const pair = this.#pairs.get(entry.left * keyBase + entry.right)
      if (!pair) continue
      if (pair.count === entry.count) return pair.count < minCount ? null : [pair.left, pair.right]
      // Merges since the entry was made took some of its occurrences.
      if (pair.count > 0 && pair.count < entry.count) this.#heap.push({ ...entry, count: pair.count })
    }
  }

  /** Replaces all occurrences of a pair by one symbol. */
  async merge(left: number, right: number, merged: number, slices: Slices): Promise<void> {
    const key = left * keyBase + right
    const { positions } = this.#pairs.get(key) as Pair
    this.#pairs.delete(key)
    const grown = new Set<Pair>()
    for (const [i, at] of positions.entries()) {
      const after = this.#next[at] as number
      if (this.#symbols[at] !== left || after === -1 || this.#symbols[after] !== right) continue
      this.#mergeAt(at, after, merged, grown)
      if (i % 1024 === 0 && slices.due) await slices.rest()
    }
    for (const pair of grown) this.#heap.push({ count: pair.count, left: pair.left, right: pair.right })
  }

  #mergeAt(at: number, after: number, merged: number, grown: Set<Pair>): void {
    const before = this.#previous[at] as number
    const beyond = this.#next[after] as number
    if (before !== -1) this.#remove(before)
    if (beyond !== -1) this.#remove(after)
    this.#symbols[at] = merged
    this.#symbols[after] = -1
    this.#next[at] = beyond
    if (beyond !== -1) {
      this.#previous[beyond] = at
      grown.add(this.#add(at))
    }
    if (before !== -1) grown.add(this.#add(before))
  }

  /** Counts the pair whose left symbol is at a position. */
  #add(at: number): Pair {
    const left = this.#symbols[at] as number
    const right = this.#symbols[this.#next[at] as number] as number
    const key = left * keyBase + right
    let pair = this.#pairs.get(key)
    if (!pair) {
      pair = { left, right, count: 0, positions: [] }
      this.#pairs.set(key, pair)
    }
    pair.count += this.#weights[at] as number
    pair.positions.push(at)
    return pair
  }

  #remove(at: number): void {
    const left = this.#symbols[at] as number
    const right = this.#symbols[this.#next[at] as number] as number
    const pair = this.#pairs.get(left * keyBase + right)
    if (pair) pair.count -= this.#weights[at] as number
  }
}
