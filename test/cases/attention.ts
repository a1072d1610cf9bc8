import { ops } from '../../lib/index.ts'
import { type AttentionSpec, attention, attentionGradient } from '../reference/attention.ts'
import type { Case, Input } from './case.ts'

interface Shape {
  /** Queries and keys of each sequence. */
  readonly lengths: readonly (readonly [number, number])[]
  readonly heads?: number
  readonly size?: number
  /** Positions of queries and keys, concatenated over the sequences. */
  readonly positions?: { readonly q: readonly number[]; readonly k: readonly number[] }
  readonly table?: { readonly buckets: number; readonly bidirectional?: boolean; readonly maxDistance?: number }
  /** Batch dimension of a dense bias: one for all sequences, or one each; and values of its own. */
  readonly dense?: 'shared' | 'batch'
  readonly denseValues?: Input['values']
  readonly scale?: number
  readonly causal?: boolean
  readonly dropoutP?: number
  /** Standard deviation of q and k. */
  readonly magnitude?: number
}

function offsets(lengths: readonly number[]): number[] {
  const sums = [0]
  for (const n of lengths) sums.push(sums.at(-1)! + n)
  return sums
}

function attentionCase(name: string, shape: Shape): Case {
  const { lengths, heads = 2, size = 16, positions, table, dense } = shape
  const cuQ = offsets(lengths.map(([q]) => q))
  const cuK = offsets(lengths.map(([, k]) => k))
  const dropout = shape.dropoutP ? { dropoutP: shape.dropoutP, seed: 2 ** 40 + 7, site: 3, step: 11 } : undefined
  const spec: AttentionSpec = {
    cuQ,
    cuK,
    ...(positions && { positionsQ: positions.q, positionsK: positions.k }),
    scale: Math.fround(shape.scale ?? 1 / Math.sqrt(size)),
    causal: shape.causal ?? false,
    bidirectional: table?.bidirectional ?? true,
    maxDistance: table?.maxDistance ?? 128,
    ...(dropout && { dropout }),
  }
  const integers = (values: readonly number[], host = false): Input => ({
    shape: [values.length],
    dtype: 'int32',
    values: (i) => values[i]!,
    host,
  })
  const longest = (side: 0 | 1) => Math.max(...lengths.map((pair) => pair[side]))
  const rows = (n: number): Input => ({ shape: [n, heads, size], strided: 'rows', scale: shape.magnitude ?? 1 })
  return {
    name: `attention ${name}`,
    covers: ['attentionFwd', 'attentionBwd'],
    inputs: {
      q: rows(cuQ.at(-1)!),
      k: rows(cuK.at(-1)!),
      v: { shape: [cuK.at(-1)!, heads, size] },
      cuSeqlens: integers(cuQ, true),
      keyCuSeqlens: integers(cuK, true),
      ...(positions && { positions: integers(positions.q), keyPositions: integers(positions.k) }),
      ...(table && { biasTable: { shape: [table.buckets, heads] } }),
      ...(dense && {
        biasDense: {
          shape: [dense === 'shared' ? 1 : lengths.length, heads, longest(0) + 1, longest(1) + 2],
          ...(shape.denseValues && { values: shape.denseValues }),
        },
      }),
    },
    run: (t) => {
      const { scale, causal, bidirectional, maxDistance } = spec
      const { dropoutP = 0, seed = 0, site = 0, step = 0 } = dropout ?? {}
      const { q, k, v, ...given } = t
      const attrs = { scale, causal, bidirectional, maxDistance, dropoutP, seed, site, step }
      return ops.attention(q!, k!, v!, { ...given, ...attrs })
    },
    reference: (v, r) => [attention(spec, v as never, r)],
    gradient: (v, [dO], r) => {
      const all = attentionGradient(spec, v as never, dO!, r)
      return Object.fromEntries(Object.entries(all).filter(([input]) => input in v))
    },
  }
}

const range = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i)
const t5 = { buckets: 32 }
const decoder = { buckets: 32, bidirectional: false }

export const attentionCases: Case[] = [
  attentionCase('one token', { lengths: [[1, 1]], heads: 1, size: 1 }),
  attentionCase('no rows at all', { lengths: [[0, 0]], table: t5 }),
  attentionCase('7 x 13, head size 5', { lengths: [[7, 13]], heads: 3, size: 5, table: t5 }),
  attentionCase('tile + 1 by block + 1', { lengths: [[97, 129]], heads: 1, table: t5 }),
  attentionCase('tile − 1 by block − 1, causal', { lengths: [[95, 127]], heads: 1, table: decoder, causal: true }),
  attentionCase('two tiles by three blocks', { lengths: [[192, 384]], heads: 1, size: 8, table: t5 }),
  attentionCase('several packed sequences', {
    lengths: [
      [17, 17],
      [0, 5],
      [1, 1],
      [6, 0],
      [40, 40],
    ],
    table: t5,
  }),
  attentionCase('causal, fewer keys than queries', { lengths: [[11, 4]], table: decoder, causal: true }),
  attentionCase('causal, more keys than queries', {
    lengths: [
      [3, 140],
      [131, 133],
    ],
    heads: 1,
    size: 4,
    table: decoder,
    causal: true,
  }),
  attentionCase('distances beyond the window', {
    lengths: [[210, 210]],
    heads: 1,
    size: 4,
    table: { buckets: 12, maxDistance: 20 },
  }),
  attentionCase('positions with holes, causal', {
    lengths: [
      [8, 6],
      [9, 9],
    ],
    positions: { q: [...range(8), ...range(9, 100)], k: [1, 2, 5, 6, 9, 300, ...range(9, 96)] },
    table: decoder,
    causal: true,
  }),
  attentionCase('left padding, far positions', {
    lengths: [[33, 33]],
    positions: { q: range(33, 1000), k: range(33, 1000) },
    table: t5,
    causal: true,
    dropoutP: 0.3,
  }),
  attentionCase('dense bias shared by the batch', {
    lengths: [
      [9, 20],
      [13, 7],
      [0, 3],
    ],
    dense: 'shared',
  }),
  attentionCase('dense bias of each sequence, causal', {
    lengths: [
      [9, 20],
      [21, 21],
    ],
    dense: 'batch',
    causal: true,
  }),
  attentionCase('table and dense bias', { lengths: [[18, 35]], table: t5, dense: 'shared' }),
  {
    ...attentionCase('dense bias of −inf, rows without keys', {
      lengths: [[12, 34]],
      dense: 'shared',
      denseValues: (i, random) => (i % 36 < 7 || Math.floor(i / 36) % 5 === 2 ? -Infinity : random.normal()),
    }),
    centralDifferences: false,
  },
  attentionCase('dropout replayed', { lengths: [[37, 140]], heads: 2, size: 8, table: t5, dropoutP: 0.25 }),
  attentionCase('dropout with holes', {
    lengths: [[5, 4]],
    positions: { q: range(5), k: [0, 3, 4, 9] },
    dropoutP: 0.5,
  }),
  {
    ...attentionCase('large magnitude', { lengths: [[40, 50]], magnitude: 20, scale: 1, table: t5 }),
    centralDifferences: false,
    sixteenBitGradient: false,
  },
  attentionCase('head size 80', { lengths: [[33, 40]], heads: 1, size: 80 }),
  attentionCase('head size 72, causal, dropout', {
    lengths: [
      [70, 90],
      [33, 12],
    ],
    heads: 3,
    size: 72,
    table: { buckets: 12, maxDistance: 20 },
    causal: true,
    dropoutP: 0.2,
  }),
  attentionCase('head size 64, causal, dropout', {
    lengths: [[150, 140]],
    size: 64,
    table: { buckets: 32, bidirectional: false },
    causal: true,
    dropoutP: 0.1,
  }),
  attentionCase('head size 128, several blocks', {
    lengths: [
      [140, 150],
      [9, 70],
    ],
    heads: 1,
    size: 128,
  }),
  attentionCase('head size 128, several blocks, table', {
    lengths: [[150, 170]],
    heads: 1,
    size: 128,
    table: t5,
    causal: true,
    scale: 1,
    magnitude: 0.3,
  }),
  attentionCase('head size 256', { lengths: [[10, 21]], heads: 1, size: 256 }),
  attentionCase('keys cut in parts', { lengths: [[40, 600]], heads: 1, size: 16, table: t5 }),
  {
    ...attentionCase('bench', {
      lengths: Array.from({ length: 8 }, () => [512, 512] as const),
      heads: 8,
      size: 64,
      table: t5,
    }),
    flops: 8 * 8 * 512 * 512 * 64 * 4,
    bytes: 4 * 8 * 512 * 8 * 64 * 4,
  },
]
