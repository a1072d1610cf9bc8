import type { Slices } from './slices.ts'

/** @internal The most frequent characters of words; of equally frequent ones, those that sort first. */
export async function alphabetOf(
  words: ReadonlyMap<string, number>,
  limit: number,
  slices: Slices,
): Promise<Set<string>> {
  const counts = new Map<string, number>()
  for (const [word, count] of words) {
    for (const character of word) counts.set(character, (counts.get(character) ?? 0) + count)
    if (slices.due) await slices.rest()
  }
  const byCount = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
  return new Set(byCount.slice(0, limit).map(([character]) => character))
}
