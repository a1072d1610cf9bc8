import { ops } from '../../lib/index.ts'
import { fromFn, type NdArray } from '../reference/array.ts'
import * as reference from '../reference/sampling.ts'
import type { Case, Input } from './case.ts'

const normal = (shape: [number, number]): Input => ({ shape, scale: 3, gradient: false })
const ids = (shape: number[], below: number): Input => ({
  shape,
  dtype: 'int32',
  values: (_, random) => random.integer(below),
})
const lists = (array: NdArray, lengths?: NdArray) =>
  Array.from({ length: array.shape[0]! }, (_, row) => {
    const columns = array.shape[1]!
    return Array.from(array.data.subarray(row * columns, row * columns + (lengths?.data[row] ?? columns)))
  })

const penaltyCases: Case[] = [1.4, 0.7].map((penalty) => ({
  name: `penalizeRepetition ${penalty}`,
  covers: ['penalizeRepetition'],
  inputs: { logits: normal([5, 29]), ids: ids([5, 12], 29), lengths: ids([5], 13) },
  run: (t) => ops.penalizeRepetition(t.logits!, t.ids!, penalty, { lengths: t.lengths! }),
  reference: (v, r) => [reference.penalizeRepetition(v.logits!, lists(v.ids!, v.lengths!), penalty, r)],
}))

// Three letters, so that n-grams do repeat.
const ngramCases: Case[] = [1, 2, 3, 30].flatMap((n): Case[] => [
  {
    name: `banRepeatedNgrams ${n}`,
    covers: ['banRepeatedNgrams'],
    inputs: { logits: normal([6, 5]), ids: ids([6, 20], 3), lengths: ids([6], 21) },
    run: (t) => ops.banRepeatedNgrams(t.logits!, t.ids!, n, { lengths: t.lengths! }),
    reference: (v) => {
      const own = lists(v.ids!, v.lengths!)
      return [reference.banRepeatedNgrams(v.logits!, own, own, n)]
    },
  },
  {
    name: `banRepeatedNgrams ${n} of sources`,
    covers: ['banRepeatedNgrams'],
    inputs: {
      logits: normal([6, 5]),
      ids: ids([6, 4], 3),
      sources: ids([6, 11], 3),
      sourceLengths: ids([6], 12),
    },
    run: (t) => ops.banRepeatedNgrams(t.logits!, t.ids!, n, { sources: t.sources!, sourceLengths: t.sourceLengths! }),
    reference: (v) => [reference.banRepeatedNgrams(v.logits!, lists(v.ids!), lists(v.sources!, v.sourceLengths!), n)],
  },
])

// One in three is banned already; the first row and its neighbour, a group, wholly.
const banned: Input = {
  shape: [6, 13],
  gradient: false,
  values: (i, random) => (random.integer(3) === 0 || i < 26 ? -Infinity : random.normal()),
}
const bias: Input = { shape: [7], gradient: false, values: (i, random) => (i === 3 ? -Infinity : random.normal()) }
const pairsOf = (rows: NdArray, tokens: NdArray) =>
  Array.from(rows.data, (row, i): [number, number] => [row, tokens.data[i]!])
const allowCases = [1, 2, 3].map(
  (group): Case => ({
    name: `allowTokens, groups of ${group}`,
    covers: ['allowTokens'],
    inputs: { logits: banned, rows: ids([20], 6), tokens: ids([20], 13) },
    sixteenBit: false,
    run: (t) => ops.allowTokens(t.logits!, t.rows!, t.tokens!, { group }),
    reference: (v) => [reference.allowTokens(v.logits!, v.rows!, v.tokens!, group)],
  }),
)

export const adjustLogitsCases: Case[] = [
  ...penaltyCases,
  ...ngramCases,
  {
    name: 'banTokens',
    covers: ['banTokens'],
    inputs: { logits: normal([5, 29]), tokens: ids([4], 29) },
    run: (t) => ops.banTokens(t.logits!, t.tokens!),
    reference: (v) => [
      fromFn(v.logits!.shape, (i) => (v.tokens!.data.includes(i % 29) ? -Infinity : v.logits!.data[i]!)),
    ],
  },
  {
    name: 'biasTokens',
    covers: ['biasTokens'],
    inputs: { logits: normal([5, 11]), rows: ids([7], 5), tokens: ids([7], 4), bias },
    sixteenBit: false,
    run: (t) => ops.biasTokens(t.logits!, t.rows!, t.tokens!, t.bias!),
    reference: (v, r) => [
      reference.changeTokens(v.logits!, pairsOf(v.rows!, v.tokens!), (score, i) => r(score + v.bias!.data[i]!)),
    ],
  },
  {
    name: 'biasTokens without any',
    covers: ['biasTokens'],
    inputs: { logits: normal([2, 11]), rows: ids([0], 5), tokens: ids([0], 4), bias: { ...bias, shape: [0] } },
    sixteenBit: false,
    run: (t) => ops.biasTokens(t.logits!, t.rows!, t.tokens!, t.bias!),
    reference: (v) => [v.logits!],
  },
  ...allowCases,
  {
    name: 'forceTokens',
    covers: ['forceTokens'],
    inputs: { logits: normal([4, 19]), rows: ids([3], 4), tokens: ids([3], 19) },
    run: (t) => ops.forceTokens(t.logits!, t.rows!, t.tokens!),
    reference: (v) => [
      fromFn([4, 19], (i) => {
        const row = Math.floor(i / 19)
        if (!v.rows!.data.includes(row)) return v.logits!.data[i]!
        return v.rows!.data.some((r, at) => r === row && v.tokens!.data[at] === i % 19) ? 0 : -Infinity
      }),
    ],
  },
  {
    name: 'boostTokens',
    covers: ['boostTokens'],
    inputs: {
      logits: banned,
      rows: { shape: [6], dtype: 'int32', values: (i) => i },
      tokens: ids([6], 13),
      factors: { shape: [6], gradient: false, values: (i) => [0.4, -0.25, 0, 1e30, 2][i % 5]! },
    },
    sixteenBit: false,
    run: (t) => ops.boostTokens(t.logits!, t.rows!, t.tokens!, t.factors!),
    reference: (v, r) => [
      reference.changeTokens(v.logits!, pairsOf(v.rows!, v.tokens!), (score, i) =>
        score === -Infinity ? score : r(score + r(Math.abs(score) * v.factors!.data[i]!)),
      ),
    ],
  },
  ...[1, 8, 37].map(
    (v): Case => ({
      name: `replaceNonFinite (3,${v})`,
      covers: ['replaceNonFinite'],
      inputs: {
        logits: {
          shape: [3, v],
          gradient: false,
          values: (i, random) => [Number.NaN, Infinity, -Infinity][i % 5] ?? random.normal(),
        },
      },
      sixteenBit: false,
      run: (t) => ops.replaceNonFinite(t.logits!),
      reference: (values) => [
        fromFn([3, v], (i) => {
          const x = values.logits!.data[i]!
          const largest = (2 - 2 ** -23) * 2 ** 127
          return Number.isNaN(x) ? 0 : Math.min(Math.max(x, -largest), largest)
        }),
      ],
    }),
  ),
]
