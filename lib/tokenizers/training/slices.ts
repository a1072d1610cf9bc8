import { setImmediate } from 'node:timers/promises'

/** Longest run of a training without a turn for other events. */
const sliceMs = 3

/** Steps of a few nanoseconds that may be made between two looks at the clock. */
const blockLength = 4096

/** @internal Cuts long work into slices: where one is due to end, the work rests until other events had their turn. */
export class Slices {
  #end = performance.now() + sliceMs

  constructor(private readonly signal: AbortSignal | undefined) {
    signal?.throwIfAborted()
  }

  get due(): boolean {
    return performance.now() >= this.#end
  }

  /** @throws the signal's reason, once it is aborted. */
  async rest(): Promise<void> {
    await setImmediate()
    this.signal?.throwIfAborted()
    this.#end = performance.now() + sliceMs
  }
  /** Visits [begin, end) in ranges of a few thousand, and rests between them when it is time. */
  async eachRange(begin: number, end: number, visit: (from: number, to: number) => void): Promise<void> {
    for (let from = begin; from < end; from += blockLength) {
      visit(from, Math.min(from + blockLength, end))
      if (this.due) await this.rest()
    }
  }
}
