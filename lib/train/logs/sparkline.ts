const bars = [...'▁▂▃▄▅▆▇█']

/** Means of about equal parts of a list, at most `count` of them. */
function means(values: readonly number[], count: number): number[] {
  const parts = Math.min(count, values.length)
  return Array.from({ length: parts }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / parts), Math.floor(((i + 1) * values.length) / parts))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
}

/** A curve in one line of text, from the least value to the largest. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = means(values, width)
  const least = Math.min(...shown)
  const range = Math.max(...shown) - least
  return shown.map((value) => bars[range > 0 ? Math.round(((value - least) / range) * (bars.length - 1)) : 0]).join('')
}
