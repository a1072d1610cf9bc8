import type { Slices } from './slices.ts'
import type { SpeltWords } from './spelt-words.ts'

/** @internal Substrings of words, and where they are. */
export interface Substrings {
  /** Positions of all characters, sorted so that those of one substring are neighbours. */
  readonly order: Int32Array
  /** Each substring's first place in `order`. */
  readonly begins: Int32Array
  /** The place after its last one. */
  readonly ends: Int32Array
  /** Its characters. */
  readonly lengths: Int32Array
  /** How often it is in all words together. */
  readonly counts: Float64Array
}

/**
 * @internal All single characters, and the longer substrings that repeat, up to a length, but for those that are always
 * followed by one and the same character: the longer substring says as much. Substrings come before those that they begin.
 * A radix sort of all suffixes, from their first characters on.
 */
export async function repeatedSubstrings(words: SpeltWords, maxLength: number, slices: Slices): Promise<Substrings> {
  const sort = new SuffixSort(words, maxLength)
  await sort.run(slices)
  return sort.found()
}

class SuffixSort {
  readonly #symbols: Int32Array
  readonly #wordCounts: Float64Array
  readonly #order: Int32Array
  readonly #sorted: Int32Array
  // By symbol, of the group that is being split.
  readonly #sizes: Int32Array
  readonly #places: Int32Array
  readonly #sums: Float64Array
  #seen: number[] = []
  // Groups to be split: begin, end, length and count of each.
  readonly #stack: number[] = []
  // Each suffix ends one substring, and each that branches is one of fewer.
  readonly #begins: Int32Array
  readonly #ends: Int32Array
  readonly #lengths: Int32Array
  readonly #counts: Float64Array
  #found = 0

  constructor(
    { symbols, counts, alphabet, starts }: SpeltWords,
    private readonly maxLength: number,
  ) {
    const suffixes = symbols.length - (starts.length - 1)
    const most = 2 * suffixes + alphabet.length
    this.#symbols = symbols
    this.#wordCounts = counts
    this.#order = new Int32Array(suffixes)
    this.#sorted = new Int32Array(suffixes)
    this.#sizes = new Int32Array(alphabet.length + 1)
    this.#places = new Int32Array(alphabet.length + 1)
    this.#sums = new Float64Array(alphabet.length + 1)
    this.#begins = new Int32Array(most)
    this.#ends = new Int32Array(most)
    this.#lengths = new Int32Array(most)
    this.#counts = new Float64Array(most)
  }

  async run(slices: Slices): Promise<void> {
    let place = 0
    await slices.eachRange(0, this.#symbols.length, (from, to) => {
      for (let position = from; position < to; position++) {
        if (this.#symbols[position] !== 0) this.#order[place++] = position
      }
    })
    this.#stack.push(0, place, 0, Infinity)
    while (this.#stack.length > 0) {
      const [begin, end, length, count] = this.#stack.splice(-4) as [number, number, number, number]
      if (end - begin === 1 && length > 1) this.#addLongest(begin, length, count)
      else if (length === this.maxLength) this.#add(begin, end, length, count)
      else await this.#split(begin, end, length, count, slices)
    }
  }

  found(): Substrings {
    const n = this.#found
    return {
      order: this.#order,
      begins: this.#begins.subarray(0, n),
      ends: this.#ends.subarray(0, n),
      lengths: this.#lengths.subarray(0, n),
      counts: this.#counts.subarray(0, n),
    }
  }

  #add(begin: number, end: number, length: number, count: number): void {
    const at = this.#found++
    this.#begins[at] = begin
    this.#ends[at] = end
    this.#lengths[at] = length
    this.#counts[at] = count
  }

  /** What is at one place alone is always followed by the rest of its word. */
  #addLongest(place: number, length: number, count: number): void {
    const from = this.#order[place] as number
    let longest = length
    while (longest < this.maxLength && this.#symbols[from + longest] !== 0) longest++
    this.#add(place, place + 1, longest, count)
  }

  /** Groups the suffixes that share `length` characters by the next one. */
  async #split(begin: number, end: number, length: number, count: number, slices: Slices): Promise<void> {
    this.#seen = []
    await slices.eachRange(begin, end, (from, to) => this.#count(from, to, length))
    const follows = this.#seen.some((symbol) => symbol !== 0 && this.#sums[symbol] === count)
    if (length === 1 || (length > 1 && !follows)) this.#add(begin, end, length, count)
    let place = begin
    for (const symbol of this.#seen) {
      const size = this.#sizes[symbol] as number
      this.#places[symbol] = place
      // A single character is a piece however rare.
      if (symbol !== 0 && (length === 0 || (this.#sums[symbol] as number) >= 2)) {
        this.#stack.push(place, place + size, length + 1, this.#sums[symbol] as number)
      }
      place += size
    }
    if (this.#seen.length > 1) {
      await slices.eachRange(begin, end, (from, to) => this.#place(from, to, length))
      await slices.eachRange(begin, end, (from, to) => this.#order.set(this.#sorted.subarray(from, to), from))
    }
    for (const symbol of this.#seen) this.#sizes[symbol] = this.#sums[symbol] = 0
  }

  #count(begin: number, end: number, length: number): void {
    for (let place = begin; place < end; place++) {
      const position = this.#order[place] as number
      const symbol = this.#symbols[position + length] as number
      if (this.#sizes[symbol] === 0) this.#seen.push(symbol)
      this.#sizes[symbol] = (this.#sizes[symbol] as number) + 1
      this.#sums[symbol] = (this.#sums[symbol] as number) + (this.#wordCounts[position] as number)
    }
  }

  #place(begin: number, end: number, length: number): void {
    for (let place = begin; place < end; place++) {
      const position = this.#order[place] as number
      const symbol = this.#symbols[position + length] as number
      const to = this.#places[symbol] as number
      this.#places[symbol] = to + 1
      this.#sorted[to] = position
    }
  }
}
