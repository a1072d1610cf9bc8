/** Probabilities of logits, in float64. */
export function softmax(logits: ArrayLike<number>): Float64Array {
  const scores = Float64Array.from(logits)
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const powers = scores.map((x) => Math.exp(x - most))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((x) => x / sum)
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

/** Index of the largest number, the first of equal ones. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i
  return best
}

/** Indices of the `count` largest numbers, largest first, of equal ones the first first. */
export function topIndices(values: ArrayLike<number>, count: number): number[] {
  const best: number[] = []
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (best.length === count && value <= (values[best[count - 1] as number] as number)) continue
    let at = best.length
    while (at > 0 && value > (values[best[at - 1] as number] as number)) at--
    best.splice(at, 0, i)
    if (best.length > count) best.pop()
  }
  return best
}
