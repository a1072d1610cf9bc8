import { ConfigError, DataError, describe } from '../errors.ts'
import { Random } from '../random.ts'
import { checkState, type Item, Stream, type StreamState } from './stream.ts'

export interface RateOptions {
  /** K: a source counts as no larger than this. @default Infinity */
  readonly limit?: number
  /** T: 1 is in proportion to the sizes, large is equal shares. @default 1 */
  readonly temperature?: number
  /** Factors of the sizes, one a source. @default 1 each */
  readonly scales?: readonly number[]
}

/**
 * Shares of sources in a mixture: min(size · scale, K)^(1/T), over their sum.
 *
 * @param sizes examples of each source.
 * @returns probabilities that add up to 1.
 * @throws {ConfigError} for options out of range, or when nothing is to be mixed.
 * @see Raffel et al. 2020, section 3.5.2. https://arxiv.org/abs/1910.10683
 */
export function mixingRates(sizes: readonly number[], options: RateOptions = {}): number[] {
  const { limit = Infinity, temperature = 1, scales } = options
  if (!(limit > 0)) throw new ConfigError(`mixingRates: expected limit > 0, got ${describe(limit)}`)
  if (!(temperature > 0)) throw new ConfigError(`mixingRates: expected temperature > 0, got ${describe(temperature)}`)
  if (scales && scales.length !== sizes.length) {
    throw new ConfigError(`mixingRates: expected ${sizes.length} scales, got ${scales.length}`)
  }
  const rates = sizes.map((size, i) => Math.min(size * (scales?.[i] ?? 1), limit) ** (1 / temperature))
  const total = rates.reduce((sum, rate) => sum + rate, 0)
  if (!rates.every((rate) => rate >= 0) || !(total > 0 && total < Infinity)) {
    throw new ConfigError(`mixingRates: expected sizes >= 0, one of them > 0, got ${sizes.join(', ') || 'none'}`)
  }
  return rates.map((rate) => rate / total)
}

/** A source of a mixture. */
export interface MixedStream<T> {
  readonly stream: Stream<T>
  /** Share of the items, in proportion to the others'. */
  readonly rate: number
}

/**
 * Takes each item from a source that is drawn by its rate, independently of the others. A source that has ended is drawn
 * no more; the mixture ends with the last one.
 *
 * @throws {ConfigError} for rates that are negative or all 0.
 */
export function mix<T>(sources: readonly MixedStream<T>[], { seed = 0 }: { seed?: number } = {}): Stream<T> {
  const rates = sources.map(({ rate }) => rate)
  if (!rates.every((rate) => rate >= 0 && rate < Infinity) || !rates.some((rate) => rate > 0)) {
    throw new ConfigError(`mix: expected rates >= 0, one of them > 0, got ${rates.join(', ') || 'none'}`)
  }
  return new MixtureStream(
    sources.map(({ stream }) => stream),
    rates,
    new Random(seed),
  )
}

class MixtureStream<T> extends Stream<T> {
  /** Those of ended sources are 0. */
  readonly #rates: number[]
  #drawn = 0

  constructor(
    private readonly streams: readonly Stream<T>[],
    private readonly rates: readonly number[],
    private readonly random: Random,
  ) {
    super()
    this.#rates = [...rates]
  }

  async next(): Promise<Item<T> | null> {
    while (this.#rates.some((rate) => rate > 0)) {
      const source = this.random.at(this.#drawn).weighted(this.#rates)
      const item = await (this.streams[source] as Stream<T>).next()
      this.#drawn++
      // Sources of one seed have the same random numbers; below their place in the mixture they differ.
      if (item !== null) return { value: item.value, random: item.random.at(source) }
      this.#rates[source] = 0
    }
    return null
  }

  state(): StreamState {
    const ended = this.#rates.map((rate, i) => rate === 0 && this.rates[i] !== 0)
    return { drawn: this.#drawn, ended, sources: this.streams.map((stream) => stream.state()) }
  }

  async restore(state: StreamState): Promise<void> {
    checkState('mix', state, { drawn: 'number', ended: 'object', sources: 'object' })
    const { drawn, ended, sources } = state
    const states = sources as StreamState[]
    if (states.length !== this.streams.length) {
      throw new DataError(`mix: expected a position in ${this.streams.length} sources, got one in ${states.length}`)
    }
    for (const [i, stream] of this.streams.entries()) {
      await stream.restore(states[i] as StreamState)
      this.#rates[i] = (ended as boolean[])[i] ? 0 : (this.rates[i] as number)
    }
    this.#drawn = drawn as number
  }

  async close(): Promise<void> {
    for (const stream of this.streams) await stream.close()
  }
}
