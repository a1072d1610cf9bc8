import { DataError } from '../errors.ts'
import type { Random } from '../random.ts'

/** Where a stream stands, as JSON: what a checkpoint keeps of it. */
export type StreamState = { readonly [key: string]: JsonValue }
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/** What a stream gives: a value, and the random numbers that belong to it alone. */
export interface Item<T> {
  readonly value: T
  /** Follows from the seed, the epoch and where the value came from: not from rank, worker, or what was read before. */
  readonly random: Random
}

/**
 * A sequence of examples that is read from front to back, cheaply, and can be taken up again where it was left.
 * One reader at a time: `next` is not called again before the last call has settled.
 */
export abstract class Stream<T> implements AsyncIterable<T> {
  /** The next item; null at the end. */
  abstract next(): Promise<Item<T> | null>

  /** Where it stands: `restore` of it, on a stream made in the same way, goes on with the very item that follows here. */
  abstract state(): StreamState

  /** @throws {DataError} for a state of a stream that was made otherwise. */
  abstract restore(state: StreamState): Promise<void>

  /** Gives open files back. Reading ends with it, or with an error; a stream that gave null needs it not. */
  abstract close(): Promise<void>

  /** What a stage makes of this stream. The new stream owns this one. */
  through<U>(stage: Stage<T, U>): Stream<U> {
    return new StagedStream(this, stage)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (let item = await this.next(); item !== null; item = await this.next()) yield item.value
    } finally {
      await this.close()
    }
  }
}

/** @throws {DataError} unless a state has fields of these types: it comes from outside, perhaps from another stream. */
export function checkState(
  op: string,
  state: StreamState,
  types: Readonly<Record<string, 'number' | 'string' | 'object'>>,
) {
  for (const [name, type] of Object.entries(types)) {
    const value = state?.[name]
    const fits = type === 'number' ? Number.isSafeInteger(value) : typeof value === type && value !== null
    if (!fits) {
      const got = `${name} ${JSON.stringify(value)}`
      throw new DataError(`${op}: expected the state of a stream that was made in the same way, got ${got}`)
    }
  }
}

/**
 * A step of a pipeline: takes groups of items, one after the other, and gives any number of items for each. What it gives
 * may depend on nothing but the group, which is why its position is that of the group, and how many were given of it.
 */
export interface Stage<In, Out> {
  /** Most items of a group. @default 1 */
  readonly size?: number
  /** Whether `next` still belongs to the group, which has at least one item. @default always, up to `size` */
  readonly takes?: (group: readonly Item<In>[], next: Item<In>) => boolean
  /** @param random draws for the group. */
  readonly give: (group: readonly Item<In>[], random: Random) => readonly Item<Out>[] | Promise<readonly Item<Out>[]>
}

// Below an item's own stream of random numbers: what stages draw, and what they name the items that they make.
const draws = 0
const results = 1

/** Gives new values, made of a group, random numbers of their own. */
export function itemsOf<T>(values: readonly T[], group: readonly Item<unknown>[]): Item<T>[] {
  const random = (group[0] as Item<unknown>).random.at(results)
  return values.map((value, i) => ({ value, random: random.at(i) }))
}

class StagedStream<In, Out> extends Stream<Out> {
  /** An item that was read but did not belong to its group, and where the source stood before it. */
  #waiting: { readonly item: Item<In>; readonly before: StreamState } | null = null
  /** Where the source stood before the group. */
  #groupStart: StreamState
  #given = 0
  #results: readonly Item<Out>[] = []

  constructor(
    private readonly source: Stream<In>,
    private readonly stage: Stage<In, Out>,
  ) {
    super()
    this.#groupStart = source.state()
  }

  async next(): Promise<Item<Out> | null> {
    while (this.#given === this.#results.length) {
      if (!(await this.#readGroup())) return null
    }
    return this.#results[this.#given++] as Item<Out>
  }

  state(): StreamState {
    const whole = this.#given === this.#results.length
    return whole ? { source: this.#position(), given: 0 } : { source: this.#groupStart, given: this.#given }
  }

  async restore(state: StreamState): Promise<void> {
    checkState('stage', state, { source: 'object', given: 'number' })
    await this.source.restore(state.source as StreamState)
    this.#waiting = null
    this.#groupStart = this.source.state()
    this.#results = []
    this.#given = 0
    const given = state.given as number
    if (given === 0) return
    await this.#readGroup()
    if (given >= this.#results.length) {
      const got = `one after ${given} of ${this.#results.length} results`
      throw new DataError(`stage: expected a position in a stream that was made in the same way, got ${got}`)
    }
    this.#given = given
  }

  close(): Promise<void> {
    return this.source.close()
  }

  /** Where the source stands, as far as groups have taken its items. */
  #position(): StreamState {
    return this.#waiting?.before ?? this.source.state()
  }

  async #readGroup(): Promise<boolean> {
    const start = this.#position()
    const group = await this.#group()
    if (group.length === 0) return false
    const results = await this.stage.give(group, (group[0] as Item<In>).random.at(draws))
    this.#groupStart = start
    this.#results = results
    this.#given = 0
    return true
  }

  async #group(): Promise<Item<In>[]> {
    const { source } = this
    const { size = 1, takes } = this.stage
    const first = this.#waiting?.item ?? (await source.next())
    this.#waiting = null
    if (first === null) return []
    const group = [first]
    while (group.length < size) {
      // Where nothing is put back, nobody asks where it stood.
      const before = takes && source.state()
      const item = await source.next()
      if (item === null) break
      if (before && !takes(group, item)) {
        this.#waiting = { item, before }
        break
      }
      group.push(item)
    }
    return group
  }
}
