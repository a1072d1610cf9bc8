import { ConfigError, describe } from '../errors.ts'
import { type Item, Stream, type StreamState } from './stream.ts'

/**
 * Reads a stream ahead, so that what it waits for (files, tokenizing) overlaps with what its reader does. Its state is that
 * of what was given, not of what was read.
 *
 * @param ahead items that are ready or under way, at least 1.
 * @throws {ConfigError} for another number.
 */
export function prefetch<T>(stream: Stream<T>, ahead: number): Stream<T> {
  if (Number.isSafeInteger(ahead) && ahead >= 1) return new PrefetchStream(stream, ahead)
  throw new ConfigError(`prefetch: expected a number of items >= 1, got ${describe(ahead)}`)
}

interface Read<T> {
  readonly item: Item<T> | null
  /** Where the stream stood after it. */
  readonly after: StreamState
}

class PrefetchStream<T> extends Stream<T> {
  #position: StreamState
  /** In order; each begins when the one before has settled. */
  #reads: Promise<Read<T>>[] = []
  #last: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(
    private readonly source: Stream<T>,
    private readonly ahead: number,
  ) {
    super()
    this.#position = source.state()
  }

  async next(): Promise<Item<T> | null> {
    this.#fill()
    const { item, after } = await (this.#reads.shift() as Promise<Read<T>>)
    this.#position = after
    if (item !== null) this.#fill()
    return item
  }

  state(): StreamState {
    return this.#position
  }

  async restore(state: StreamState): Promise<void> {
    await this.#stop()
    await this.source.restore(state)
    this.#position = this.source.state()
  }

  async close(): Promise<void> {
    await this.#stop()
    await this.source.close()
  }

  #fill(): void {
    while (this.#reads.length < this.ahead) {
      const read = this.#last.then(() => this.#read())
      // Who asks for the item is told of its error; until then it is nobody's.
      read.catch(() => {})
      this.#last = read
      this.#reads.push(read)
    }
  }

  async #read(): Promise<Read<T>> {
    const item = this.#stopped ? null : await this.source.next()
    return { item, after: this.source.state() }
  }

  /** Waits for the read that is under way; those after it do not begin. */
  async #stop(): Promise<void> {
    this.#stopped = true
    await this.#last.catch(() => {})
    this.#reads = []
    this.#last = Promise.resolve()
    this.#stopped = false
  }
}
