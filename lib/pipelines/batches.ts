/** Runs over an array in parts of at most `size`, one after the other; keeps the order. */
export async function mapBatches<I, R>(
  inputs: readonly I[],
  size: number,
  run: (batch: readonly I[]) => Promise<R[]>,
): Promise<R[]> {
  const results: R[] = []
  for (let at = 0; at < inputs.length; at += size) results.push(...(await run(inputs.slice(at, at + size))))
  return results
}

/** Runs over what an iterable gives, as soon as `size` inputs are there or none is left; keeps the order. */
export async function* streamBatches<I, R>(
  inputs: AsyncIterable<I> | Iterable<I>,
  size: number,
  run: (batch: readonly I[]) => Promise<R[]>,
): AsyncGenerator<R, void> {
  let batch: I[] = []
  for await (const input of inputs) {
    batch.push(input)
    if (batch.length < size) continue
    yield* await run(batch)
    batch = []
  }
  if (batch.length > 0) yield* await run(batch)
}
