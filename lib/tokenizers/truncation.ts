import { ConfigError, DataError } from '../errors.ts'
import type { Span } from './tokenized-text.ts'

/** Which text gives up tokens: in turn the longer one, or always the first or the second of a pair. */
export type TruncationStrategy = 'longest_first' | 'only_first' | 'only_second'

export type Side = 'left' | 'right'

export interface Truncation {
  readonly strategy: TruncationStrategy
  /** Tokens of all texts together, special tokens not counted. */
  readonly room: number
  /** Tokens that a window shares with the one before. */
  readonly stride: number
  /** Where tokens are cut off. */
  readonly side: Side
}

/**
 * @internal The windows into which truncation cuts each text, the one that is kept first.
 *
 * @param spans of each text, one or two.
 */
export function windowsOf(spans: readonly Span[], truncation: Truncation): Span[][] {
  const lengths = spans.map(({ start, end }) => end - start)
  const kept = keptLengths(lengths, truncation)
  return spans.map((span, i) => cut(span, kept[i] as number, truncation))
}

function keptLengths(lengths: readonly number[], { strategy, room }: Truncation): readonly number[] {
  const excess = lengths.reduce((sum, length) => sum + length, 0) - room
  if (excess <= 0) return lengths
  if (room === 0) return lengths.map(() => 0)
  if (strategy === 'longest_first') return lengths.length === 1 ? [room] : sharedRoom(lengths, room)
  const target = strategy === 'only_first' ? 0 : 1
  const length = lengths[target]
  if (length === undefined) throw new ConfigError('encode: expected a pair of texts for only_second, got one text')
  if (length <= excess) {
    const name = target === 0 ? 'first' : 'second'
    throw new DataError(`encode: expected a ${name} text of more than ${excess} tokens to remove, got ${length}`)
  }
  return lengths.map((each, i) => (i === target ? each - excess : each))
}

/** The shorter of two keeps all while it takes at most half of the room; else they share, an odd token to the longer. */
function sharedRoom(lengths: readonly number[], room: number): number[] {
  const [first, second] = lengths as [number, number]
  const shorter = Math.min(first, second, Math.floor(room / 2))
  return first > second ? [room - shorter, shorter] : [shorter, room - shorter]
}

function cut(span: Span, kept: number, { stride, side }: Truncation): Span[] {
  const length = span.end - span.start
  if (kept >= length) return [span]
  const part = (from: number, to: number) =>
    side === 'right'
      ? { ...span, start: span.start + from, end: span.start + to }
      : { ...span, start: span.end - to, end: span.end - from }
  if (kept === 0) return [part(0, 0), span]
  if (stride >= kept) {
    throw new ConfigError(`encode: expected a stride below the ${kept} tokens of a text that fit, got ${stride}`)
  }
  const windows: Span[] = []
  for (let from = 0; ; from += kept - stride) {
    const to = Math.min(from + kept, length)
    windows.push(part(from, to))
    if (to === length) return windows
  }
}
