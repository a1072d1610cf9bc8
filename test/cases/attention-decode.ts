import { ops } from '../../lib/index.ts'
import { append, attentionDecode, continueSlots } from '../reference/attention-decode.ts'
import type { Case, Input } from './case.ts'

interface Shape {
  /** Slot, keys and rows of each active sequence. */
  readonly sequences: readonly (readonly [slot: number, length: number, count: number])[]
  readonly slots?: number
  readonly heads?: number
  readonly maxLength?: number
  readonly size?: number
  /** Slot of each key by random choice. */
  readonly indirect?: boolean
  readonly table?: { readonly buckets: number; readonly bidirectional?: boolean; readonly maxDistance?: number }
  readonly scale?: number
  readonly causal?: boolean
  /** Standard deviation of q and the keys. */
  readonly magnitude?: number
}

function dimensions({ sequences, slots, heads = 2, maxLength, size = 16 }: Shape) {
  const rows = sequences.reduce((sum, [, , count]) => sum + count, 0)
  const longest = Math.max(1, ...sequences.map(([, length]) => length))
  const cache = [slots ?? 1 + Math.max(...sequences.map(([slot]) => slot)), heads, maxLength ?? longest + 3, size]
  return { packed: [rows, heads, size], cache }
}

function listsOf({ sequences }: Shape) {
  return {
    slots: sequences.map(([slot]) => slot),
    lengths: sequences.map(([, length]) => length),
    counts: sequences.map(([, , count]) => count),
  }
}

function decodeCase(name: string, shape: Shape): Case {
  const { packed, cache } = dimensions(shape)
  const { slots, lengths, counts } = listsOf(shape)
  const { indirect, table, magnitude = 1 } = shape
  const spec = {
    scale: Math.fround(shape.scale ?? 1),
    causal: shape.causal ?? false,
    bidirectional: table?.bidirectional ?? true,
    maxDistance: table?.maxDistance ?? 128,
  }
  const float = (dims: readonly number[], scale = 1): Input => ({ shape: dims, scale, gradient: false })
  return {
    name: `attentionDecode ${name}`,
    covers: ['attentionDecode'],
    inputs: {
      q: { ...float(packed, magnitude / Math.sqrt(packed[2]!)), strided: 'rows' },
      cacheK: { ...float(cache, magnitude), strided: 'rows' },
      cacheV: float(cache),
      ...(indirect && {
        slotTable: {
          shape: [cache[0]!, cache[2]!],
          dtype: 'int32' as const,
          values: (_, random) => random.integer(cache[0]!),
        },
      }),
      ...(table && { biasTable: float([table.buckets, cache[1]!]) }),
    },
    // The cache is float32 alone.
    sixteenBit: false,
    run: ({ q, cacheK, cacheV, ...given }) =>
      ops.attentionDecode(q!, cacheK!, cacheV!, ops.cacheRows(slots, lengths, counts), { ...given, ...spec }),
    reference: (v, r) => [attentionDecode(spec, { slots, lengths, counts }, v as never, r)],
  }
}

function appendCase(name: string, shape: Shape, strided: Input['strided'] = false): Case {
  const { packed, cache } = dimensions(shape)
  const { slots, lengths, counts } = listsOf(shape)
  return {
    name: `kvCacheAppend ${name}`,
    covers: ['kvCacheAppend'],
    inputs: {
      cacheK: { shape: cache, gradient: false, strided },
      cacheV: { shape: cache, gradient: false },
      k: { shape: packed, gradient: false, strided: 'rows' },
      v: { shape: packed, gradient: false, strided: true },
    },
    sixteenBit: false,
    run: ({ cacheK, cacheV, k, v }) => {
      ops.kvCacheAppend(cacheK!, cacheV!, k!, v!, ops.cacheRows(slots, lengths, counts))
      return [cacheK!, cacheV!]
    },
    reference: (v) => [
      append(v.cacheK!, v.k!, { slots, lengths, counts }),
      append(v.cacheV!, v.v!, { slots, lengths, counts }),
    ],
  }
}

function continueCase(
  name: string,
  [slots, size]: readonly [number, number],
  before: readonly number[],
  sequences: readonly (readonly [row: number, slot: number, length: number])[],
): Case {
  const list = (values: readonly number[]): Input => ({
    shape: [values.length],
    dtype: 'int32',
    values: (i) => values[i]!,
  })
  return {
    name: `continueSlots ${name}`,
    covers: ['continueSlots'],
    inputs: {
      table: { shape: [slots, size], dtype: 'int32', values: (_, random) => random.integer(slots) },
      before: list(before),
      rows: list(sequences.map(([row]) => row)),
      slots: list(sequences.map(([, slot]) => slot)),
      lengths: list(sequences.map(([, , length]) => length)),
    },
    sixteenBit: false,
    run: (t) => ops.continueSlots(t.table!, t.before!, t.rows!, t.slots!, t.lengths!),
    reference: (v) => [continueSlots(v.table!, before, sequences)],
  }
}

const decoder = { buckets: 32, bidirectional: false }
const beams = (count: number, length: number, rows = 1) =>
  Array.from({ length: count }, () => [1, length, rows] as const)

export const attentionDecodeCases: Case[] = [
  continueCase(
    'beams that change places',
    [5, 7],
    [4, 0, 2],
    [
      [2, 4, 5],
      [2, 0, 5],
      [0, 2, 5],
    ],
  ),
  continueCase(
    'fewer sequences, of other lengths, in new slots',
    [6, 9],
    [0, 1, 3, 4],
    [
      [3, 5, 9],
      [1, 1, 0],
      [3, 4, 3],
    ],
  ),
  continueCase('no sequences', [3, 4], [1], []),
  continueCase('no keys', [3, 0], [1], [[0, 2, 0]]),
  appendCase('one row to each slot', {
    sequences: [
      [2, 7, 1],
      [0, 1, 1],
    ],
  }),
  appendCase('several rows, some slots, a full one', {
    sequences: [
      [3, 9, 4],
      [1, 5, 5],
      [0, 3, 0],
    ],
    maxLength: 9,
  }),
  appendCase('a strided cache', { sequences: [[1, 6, 3]], slots: 3, heads: 3, size: 5 }, 'rows'),
  appendCase('no sequences', { sequences: [], slots: 2 }),
  decodeCase('first token', { sequences: [[0, 1, 1]], heads: 1, size: 1, table: decoder, causal: true }),
  decodeCase('no sequences', { sequences: [], slots: 2 }),
  decodeCase('unequal lengths, some slots', {
    sequences: [
      [4, 140, 1],
      [0, 3, 1],
      [2, 65, 1],
    ],
    table: decoder,
    causal: true,
  }),
  decodeCase('head size 5, beyond the largest distance', {
    sequences: [[1, 71, 1]],
    heads: 3,
    size: 5,
    table: { buckets: 8, bidirectional: false, maxDistance: 20 },
    causal: true,
  }),
  decodeCase('head size 80', { sequences: [[0, 33, 2]], size: 80, causal: true }),
  decodeCase('head size 128', { sequences: [[0, 130, 1]], heads: 1, size: 128, scale: 0.3 }),
  decodeCase('tokens to verify', {
    sequences: [
      [0, 67, 5],
      [1, 16, 16],
      [2, 150, 17],
    ],
    table: decoder,
    causal: true,
  }),
  decodeCase('more rows than keys', { sequences: [[0, 3, 6]], table: decoder, causal: true }),
  decodeCase('beams by table', {
    sequences: [
      [0, 40, 1],
      [1, 40, 1],
      [2, 40, 1],
      [3, 77, 2],
    ],
    indirect: true,
    table: decoder,
    causal: true,
  }),
  decodeCase('several sequences of one slot by table', { sequences: beams(3, 20), indirect: true }),
  decodeCase('beams of shared sources', {
    sequences: [...beams(4, 100), [0, 33, 1], [2, 0, 1], [0, 33, 2], [1, 64, 1]],
  }),
  decodeCase('many beams of one source', { sequences: beams(19, 130), heads: 1 }),
  decodeCase('a table of both directions', { sequences: [[0, 90, 40]], table: { buckets: 32 } }),
  decodeCase('large magnitude', { sequences: [[0, 90, 2]], magnitude: 40, table: decoder, causal: true }),
  ...[1, 4].map(
    (count): Case => ({
      ...decodeCase(`bench 512 keys, ${count} rows`, { sequences: beams(count, 512), slots: 2, heads: 12, size: 64 }),
      flops: 4 * count * 12 * 512 * 64,
      bytes: 2 * 4 * 12 * 512 * 64,
    }),
  ),
]
