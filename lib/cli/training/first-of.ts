/** The first values of a stream, whose files are closed then. */
export async function* firstOf<T>(values: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let given = 0
  for await (const value of values) {
    yield value
    if (++given >= count) return
  }
}
