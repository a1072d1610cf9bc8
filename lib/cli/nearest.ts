/** Number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let [twoBack, before] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const edits = [(before[j] as number) + 1, (row[j - 1] as number) + 1, (before[j - 1] as number) + (same ? 0 : 1)]
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits.push((twoBack[j - 2] as number) + 1)
      row.push(Math.min(...edits))
    }
    twoBack = before
    before = row
  }
  return before[b.length] as number
}

/** What was probably meant: the name that is nearest, if it is near enough or begins with what was written; else null. */
export function nearest(written: string, names: readonly string[]): string | null {
  const [best] = names
    .map((name) => ({ name, distance: editDistance(written, name) }))
    .sort((a, b) => a.distance - b.distance)
  if (best && best.distance <= Math.max(1, Math.floor(written.length / 3))) return best.name
  const parts = names.filter((name) => written.length > 2 && (name.startsWith(written) || name.endsWith(written)))
  return parts.length === 1 ? (parts[0] as string) : null
}
