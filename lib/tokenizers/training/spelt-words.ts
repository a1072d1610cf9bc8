import type { Slices } from './slices.ts'

/** @internal Words as one row of symbols; a position is an index into it. */
export interface SpeltWords {
  /** Characters by symbol − 1. */
  readonly alphabet: readonly string[]
  /** (P) of each character; 0 after each word. */
  readonly symbols: Int32Array
  /** (P) how often the word that a position is in was there. */
  readonly counts: Float64Array
  /** (W + 1) position of each word's first character, and P. */
  readonly starts: Int32Array
}

/**
 * @internal Spells words in an alphabet. A character outside of it is always a token of its own, so that what comes
 * before and after is spelt as words of their own.
 */
export async function spell(
  words: ReadonlyMap<string, number>,
  alphabet: readonly string[],
  slices: Slices,
): Promise<SpeltWords> {
  const symbolOf = new Map(alphabet.map((character, i) => [character, i + 1]))
  // Every character ends at most one word, and so adds at most two symbols.
  let capacity = 0
  for (const word of words.keys()) capacity += 2 * word.length
  const symbols = new Int32Array(capacity)
  const counts = new Float64Array(capacity)
  const starts = new Int32Array(capacity + 1)
  let [at, spelt] = [0, 0]
  const end = (count: number) => {
    if (at === starts[spelt]) return
    counts[at++] = count
    starts[++spelt] = at
  }
  for (const [word, count] of words) {
    for (const character of word) {
      const symbol = symbolOf.get(character)
      if (symbol === undefined) end(count)
      else {
        counts[at] = count
        symbols[at++] = symbol
      }
    }
    end(count)
    if (slices.due) await slices.rest()
  }
  return {
    alphabet,
    symbols: symbols.subarray(0, at),
    counts: counts.subarray(0, at),
    starts: starts.subarray(0, spelt + 1),
  }
}

/** @internal The characters of positions [from, from + length). */
export function textAt({ alphabet, symbols }: SpeltWords, from: number, length: number): string {
  return Array.from(symbols.subarray(from, from + length), (symbol) => alphabet[symbol - 1] as string).join('')
}
