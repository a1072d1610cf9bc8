/** @internal Two neighbouring symbols, and how often they were seen when the entry was made. */
export interface PairCount {
  readonly count: number
  readonly left: number
  readonly right: number
}

/** @internal A binary heap with the most frequent pair on top; of equally frequent ones, the one of the lowest ids. */
export class PairHeap {
  readonly #entries: PairCount[] = []

  push(entry: PairCount): void {
    const entries = this.#entries
    let at = entries.length
    entries.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!precedes(entry, entries[parent] as PairCount)) break
      entries[at] = entries[parent] as PairCount
      at = parent
    }
    entries[at] = entry
  }

  pop(): PairCount | undefined {
    const entries = this.#entries
    const top = entries[0]
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && precedes(entries[child + 1] as PairCount, entries[child] as PairCount)) child++
      if (!precedes(entries[child] as PairCount, last)) break
      entries[at] = entries[child] as PairCount
      at = child
    }
    entries[at] = last
    return top
  }
}

function precedes(a: PairCount, b: PairCount): boolean {
  return a.count > b.count || (a.count === b.count && (a.left < b.left || (a.left === b.left && a.right < b.right)))
}
