import { ops } from '../../lib/index.ts'
import { fromFn } from '../reference/array.ts'
import * as reference from '../reference/sampling.ts'
import type { Case, Input } from './case.ts'

// One column, primes, around a vector of every width, more than a block of the sums, no rows.
const shapes: [number, number][] = [
  [1, 1],
  [3, 7],
  [5, 17],
  [2, 513],
  [0, 9],
  [7, 1031],
]

const normal = (shape: [number, number], scale = 3): Input => ({ shape, scale, gradient: false })
// Multiples of ½ with many ties; one in eight is -inf, but never the first.
const tied = (shape: [number, number]): Input => ({
  shape,
  gradient: false,
  values: (i, random) => (random.integer(8) === 0 && i % shape[1] !== 0 ? -Infinity : random.integer(9) / 2 - 2),
})
const strided = (shape: [number, number]): Input => ({ ...normal(shape), strided: true })

/** Logits of every kind for one op. Selection is exact: no 16-bit runs, whose rounding would move the borders. */
function family(
  name: string,
  covers: string,
  run: Case['run'],
  refer: Case['reference'],
  list: [string, Input][] = [
    ...shapes.map((shape): [string, Input] => [`(${shape})`, normal(shape)]),
    ['ties', tied([6, 37])],
    ['strided', strided([5, 19])],
    ['large', normal([4, 33], 1e4)],
  ],
): Case[] {
  return list.map(([kind, logits]) => ({
    name: `${name} ${kind}`,
    covers: [covers],
    inputs: { logits },
    sixteenBit: false,
    run,
    reference: refer,
  }))
}

function warpCases(rule: ops.WarpRule, value: number, minTokensToKeep = 1): Case[] {
  const list: [string, Input][] = [
    ['(1,1)', normal([1, 1])],
    ['(0,9)', normal([0, 9])],
    ['(5,131)', normal([5, 131])],
    ['(3,1031)', normal([3, 1031])],
    ['flat', normal([3, 300], 0.1)],
    ['large', normal([4, 33], 1e4)],
    ['strided', strided([5, 19])],
  ]
  if (rule !== 'typical') list.push(['ties', tied([6, 37])])
  const min = (v: number) => Math.min(minTokensToKeep, v)
  return family(
    `${rule} ${value}, at least ${minTokensToKeep},`,
    'warpLogits',
    (t) => ops.warpLogits(t.logits!, rule, value, { minTokensToKeep }),
    (v, r) => [reference.warpLogits(v.logits!, rule, value, min(v.logits!.shape[1]!), r)],
    list,
  )
}

const draw = { seed: 2 ** 40 + 7, site: 3, step: 11 }
const vocabulary: Input = normal([4, 32128])
const work = { flops: 4 * 32128, bytes: 4 * 32128 * 4 }

export const samplingCases: Case[] = [
  ...family(
    'argmax',
    'argmax',
    (t) => ops.argmax(t.logits!),
    (v) => {
      const [, best] = reference.topK(v.logits!, 1)
      return [fromFn([best.shape[0]!], (i) => best.data[i]!)]
    },
  ),
  ...[1, 5, 17].flatMap((k) =>
    family(
      `topK ${k}`,
      'topK',
      (t) => {
        const { values, ids } = ops.topK(t.logits!, Math.min(k, t.logits!.shape[1]!))
        return [values, ids]
      },
      (v) => reference.topK(v.logits!, Math.min(k, v.logits!.shape[1]!)),
    ),
  ),
  ...family(
    'sampleCategorical',
    'sampleCategorical',
    (t) => ops.sampleCategorical(t.logits!, draw),
    (v) => [reference.sampleCategorical(v.logits!, draw)],
  ),
  {
    name: 'sampleCategorical of streams',
    covers: ['sampleCategorical'],
    inputs: { logits: normal([5, 29]), streams: { shape: [5], dtype: 'int32', values: (i) => [9, 0, 4, 4, 70][i]! } },
    sixteenBit: false,
    run: (t) => ops.sampleCategorical(t.logits!, { ...draw, streams: t.streams! }),
    reference: (v) => [reference.sampleCategorical(v.logits!, draw, v.streams!)],
  },
  ...[1, 6, 14].map(
    (k): Case => ({
      name: `beamCandidates ${k}`,
      covers: ['beamCandidates'],
      inputs: {
        logits: tied([6, 7]),
        beamScores: { shape: [2, 3], gradient: false, values: (i) => (i % 3 === 2 ? -1e9 : -i / 4) },
      },
      sixteenBit: false,
      run: (t) => {
        const { scores, parents, tokens } = ops.beamCandidates(t.logits!, t.beamScores!, k)
        return [scores, parents, tokens]
      },
      reference: (v, r) => reference.beamCandidates(v.logits!, v.beamScores!, k, r),
    }),
  ),
  // Ties, sentences whose candidates all end, as many beams as candidates; no end token.
  ...(
    [
      [4, 8, [1]],
      [3, 9, [2, 5]],
      [5, 5, [1, 0, 3]],
      [1, 2, []],
    ] as const
  ).map(
    ([beams, k, ends]): Case => ({
      name: `runningBeams ${beams} of ${k}, ends ${ends}`,
      covers: ['runningBeams'],
      inputs: {
        scores: { shape: [7, k], gradient: false, values: (_, random) => -random.integer(6) / 2 },
        parents: { shape: [7, k], dtype: 'int32', values: (_, random) => random.integer(beams) },
        tokens: { shape: [7, k], dtype: 'int32', values: (i, random) => (i < k ? 1 : random.integer(6)) },
        ends: { shape: [ends.length], dtype: 'int32', values: (i) => ends[i]! },
      },
      sixteenBit: false,
      run: ({ scores, parents, tokens, ends }) => {
        const found = { scores: scores!, parents: parents!, tokens: tokens! }
        const { beamScores, rows, running } = ops.runningBeams(found, ends!, beams, -1e9)
        return [beamScores, rows, running]
      },
      reference: (v, r) => reference.runningBeams(v as never, beams, -1e9, r),
    }),
  ),
  // Around a block of the noise, and rows that start inside a Philox call.
  ...[5, 7, 513].map(
    (v): Case => ({
      name: `sampleCandidates of ${v}`,
      covers: ['sampleCandidates'],
      inputs: {
        logits: normal([6, v]),
        beamScores: { shape: [2, 3], gradient: false, values: (i) => (i % 3 === 2 ? -1e9 : -i / 4) },
        streams: { shape: [2], dtype: 'int32', values: (i) => [3, 1][i]! },
      },
      sixteenBit: false,
      run: (t) => {
        const { scores, parents, tokens } = ops.sampleCandidates(t.logits!, t.beamScores!, 6, {
          ...draw,
          streams: t.streams!,
        })
        return [scores, parents, tokens]
      },
      reference: (v, r) => reference.sampleCandidates(v.logits!, v.beamScores!, 6, [3, 1], draw, r),
    }),
  ),
  ...warpCases('temperature', 0.7),
  ...warpCases('topK', 7),
  ...warpCases('topK', 2, 3),
  ...warpCases('topP', 0.9),
  ...warpCases('topP', 0, 3),
  ...warpCases('minP', 0.05),
  ...warpCases('minP', 1, 2),
  ...warpCases('typical', 0.9),
  ...warpCases('typical', 0.1, 4),
  ...warpCases('epsilon', 0.01),
  ...warpCases('epsilon', 1, 2),
  ...warpCases('eta', 0.02),
  ...warpCases('topH', 0.4),
  ...family(
    'argmax',
    'argmax',
    (t) => ops.argmax(t.logits!),
    () => [],
    [['bench', vocabulary]],
  ).map((c) => ({ ...c, ...work })),
  ...family(
    'topK 8',
    'topK',
    (t) => ops.topK(t.logits!, 8).values,
    () => [],
    [['bench', vocabulary]],
  ).map((c) => ({ ...c, ...work })),
  ...family(
    'topP 0.9',
    'warpLogits',
    (t) => ops.warpLogits(t.logits!, 'topP', 0.9),
    () => [],
    [['bench', vocabulary]],
  ).map((c) => ({ ...c, ...work, bytes: 2 * work.bytes })),
  ...family(
    'sampleCategorical',
    'sampleCategorical',
    (t) => ops.sampleCategorical(t.logits!, { seed: 1 }),
    () => [],
    [['bench', vocabulary]],
  ).map((c) => ({ ...c, ...work, bytes: 2 * work.bytes })),
]
