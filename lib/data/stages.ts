import { ConfigError, describe } from '../errors.ts'
import type { Random } from '../random.ts'
import { type Item, itemsOf, type Stage } from './stream.ts'

/** One value of each, as a function of it and of its random numbers. */
export function map<In, Out>(make: (value: In, random: Random) => Out | Promise<Out>): Stage<In, Out> {
  return {
    async give(group, random) {
      return itemsOf([await make((group[0] as Item<In>).value, random)], group)
    },
  }
}

/** Any number of values of each. */
export function flatMap<In, Out>(
  make: (value: In, random: Random) => readonly Out[] | Promise<readonly Out[]>,
): Stage<In, Out> {
  return {
    async give(group, random) {
      return itemsOf(await make((group[0] as Item<In>).value, random), group)
    },
  }
}

/** Those of which `keeps` is true. */
export function filter<T>(keeps: (value: T) => boolean): Stage<T, T> {
  return { give: (group) => group.filter(({ value }) => keeps(value)) }
}

/** Lists of `size` values, the last one perhaps shorter. */
export function batch<T>(size: number): Stage<T, T[]> {
  return { size: positive('batch', size), give: (group) => itemsOf([group.map(({ value }) => value)], group) }
}

/**
 * Shuffles within blocks of `size` items: a block is read, and given in random order. Its state needs no buffered items,
 * only where the block began. The order is that of the seed and the epoch.
 */
export function shuffle<T>(size: number): Stage<T, T> {
  return { size: positive('shuffle', size), give: (group, random) => random.shuffle([...group]) }
}

export interface ShardOptions {
  /** Which part, in [0, worldSize). */
  readonly rank: number
  readonly worldSize: number
  /** Leaves the last round out if it has not an item for every rank, so that all ranks get equally many. @default false */
  readonly dropLast?: boolean
}

/** Every `worldSize`th item, from the `rank`th on. Random numbers stay those of the whole. */
export function shard<T>({ rank, worldSize, dropLast = false }: ShardOptions): Stage<T, T> {
  checkShard(rank, worldSize)
  return {
    size: worldSize,
    give: (group) => (dropLast && group.length < worldSize ? [] : group.slice(rank, rank + 1)),
  }
}

/** @throws {ConfigError} unless 0 <= rank < worldSize. */
export function checkShard(rank: number, worldSize: number): void {
  positive('shard', worldSize)
  if (!Number.isSafeInteger(rank) || rank < 0 || rank >= worldSize) {
    throw new ConfigError(`shard: expected rank in [0, ${worldSize}), got ${describe(rank)}`)
  }
}

function positive(op: string, size: number): number {
  if (Number.isSafeInteger(size) && size >= 1) return size
  throw new ConfigError(`${op}: expected a size >= 1, got ${describe(size)}`)
}
