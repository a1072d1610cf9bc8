import { expect } from 'vitest'
import type { data } from '../../lib/index.ts'

export async function valuesOf<T>(stream: data.Stream<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of stream) values.push(value)
  return values
}

/** Expects that a stream, left at any place and taken up by a new one like it, goes on as if it had not been left. */
export async function expectResumable<T>(make: () => data.Stream<T>): Promise<void> {
  const whole: T[] = []
  const states: data.StreamState[] = []
  const stream = make()
  for (;;) {
    // As it comes back from a checkpoint.
    states.push(JSON.parse(JSON.stringify(stream.state())) as data.StreamState)
    const item = await stream.next()
    if (item === null) break
    whole.push(item.value)
  }
  await stream.close()
  expect(whole.length).toBeGreaterThan(1)
  for (const [read, state] of states.entries()) {
    const again = make()
    await again.restore(state)
    expect(again.state()).toEqual(state)
    expect(await valuesOf(again), `from ${read}`).toEqual(whole.slice(read))
  }
  // One that has read already can be taken back.
  const used = make()
  for (let i = 0; i < whole.length; i++) await used.next()
  await used.restore(states[1] as data.StreamState)
  expect(await valuesOf(used)).toEqual(whole.slice(1))
}
