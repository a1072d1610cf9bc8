import { ConfigError, DataError, describe } from '../errors.ts'
import { Random } from '../random.ts'
import { permutation } from './permutation.ts'
import { checkShard } from './stages.ts'
import { checkState, type Item, Stream, type StreamState } from './stream.ts'

/** Examples that can be read in any order. Arrays become one by `datasetOf`. */
export interface Dataset<T> {
  readonly length: number
  get(index: number): T | Promise<T>
}

export function datasetOf<T>(values: readonly T[]): Dataset<T> {
  return { length: values.length, get: (index) => values[index] as T }
}

export interface ReadOptions {
  /** @default 0 */
  readonly seed?: number
  /** Times that all is read; Infinity for no end. @default 1 */
  readonly epochs?: number
}

export interface SampleOptions extends ReadOptions {
  /** Reads each epoch in a random order of all examples; false: in their own order. @default true */
  readonly shuffle?: boolean
  /** Which part of each epoch this process reads. @default 0 of 1 */
  readonly rank?: number
  readonly worldSize?: number
}

/**
 * Reads a dataset in order, or in another full permutation each epoch. Ranks share out the places of that order, so that
 * together they read each example once an epoch. Random numbers belong to epoch and example, whatever the rank.
 *
 * @throws {ConfigError} for options out of their range.
 */
export function sample<T>(dataset: Dataset<T>, options: SampleOptions = {}): Stream<T> {
  const { seed = 0, epochs = 1, shuffle = true, rank = 0, worldSize = 1 } = options
  checkEpochs(epochs)
  checkShard(rank, worldSize)
  return new SampledStream(dataset, new Random(seed), { epochs, shuffle, rank, worldSize })
}

/** @throws {ConfigError} unless it is a whole number >= 1, or Infinity. */
export function checkEpochs(epochs: number): void {
  if (epochs === Infinity || (Number.isSafeInteger(epochs) && epochs >= 1)) return
  throw new ConfigError(`data: expected epochs >= 1, got ${describe(epochs)}`)
}

// Below the seed: the order of an epoch, and the streams of its examples.
const orders = 0
const examples = 1

class SampledStream<T> extends Stream<T> {
  #epoch = 0
  /** Place in the epoch's order that comes next, in steps of worldSize. */
  #place: number
  #order: ((place: number) => number) | null = null

  constructor(
    private readonly dataset: Dataset<T>,
    private readonly random: Random,
    private readonly options: Required<Omit<SampleOptions, 'seed'>>,
  ) {
    super()
    this.#place = options.rank
  }

  async next(): Promise<Item<T> | null> {
    const { dataset, random, options } = this
    if (dataset.length <= options.rank) return null
    if (this.#place >= dataset.length) {
      this.#epoch++
      this.#place = options.rank
      this.#order = null
    }
    if (this.#epoch >= options.epochs) return null
    this.#order ??= options.shuffle ? permutation(dataset.length, random.at(orders, this.#epoch)) : (place) => place
    const index = this.#order(this.#place)
    const value = await dataset.get(index)
    this.#place += options.worldSize
    return { value, random: random.at(examples, this.#epoch, index) }
  }

  state(): StreamState {
    return { epoch: this.#epoch, place: this.#place, length: this.dataset.length }
  }

  async restore(state: StreamState): Promise<void> {
    checkState('data', state, { epoch: 'number', place: 'number', length: 'number' })
    const { epoch, place, length } = state
    if (length !== this.dataset.length) {
      const got = `a position in ${String(length)}`
      throw new DataError(`data: expected a position in a dataset of ${this.dataset.length} examples, got ${got}`)
    }
    this.#epoch = epoch as number
    this.#place = place as number
    this.#order = null
  }

  async close(): Promise<void> {}
}
