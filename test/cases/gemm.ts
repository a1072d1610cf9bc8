import { ops } from '../../lib/index.ts'
import { type GemmSettings, gemm, gemmGradient } from '../reference/gemm.ts'
import type { Case, Input } from './case.ts'

type Extra = 'c' | 'bias' | 'gate' | 'residual'

interface Shape {
  readonly m: number
  readonly n: number
  readonly k: number
  /** Leading dimensions of a, and of b unless `sharedB`. */
  readonly leading?: readonly number[]
  readonly sharedB?: boolean
}

interface Variant extends GemmSettings {
  readonly extras?: readonly Extra[]
  readonly strided?: boolean | 'rows'
  readonly scale?: number
  readonly packed?: boolean
}

function inputsOf({ m, n, k, leading = [], sharedB }: Shape, variant: Variant): Record<string, Input> {
  const { transposeA, transposeB, extras = [], strided = false, scale = 1, packed } = variant
  const result = [...leading, m, n]
  const inputs: Record<string, Input> = {
    a: { shape: [...leading, ...(transposeA ? [k, m] : [m, k])], strided, scale },
    b: { shape: [...(sharedB ? [] : leading), ...(transposeB ? [n, k] : [k, n])], strided, gradient: !packed },
  }
  for (const name of extras) inputs[name] = { shape: name === 'bias' ? [n] : result, strided }
  return inputs
}

function gemmCase(title: string, shape: Shape, variant: Variant = {}): Case {
  const { dropout, packed, extras, strided, scale, ...settings } = variant
  const { transposeB, ...rest } = settings
  return {
    name: `gemm ${title}`,
    covers: ['gemm', 'gemmEpilogueBwd', ...(packed ? ['gemmPack'] : [])],
    inputs: inputsOf(shape, variant),
    run: (t) => {
      const tensors = { c: t.c ?? null, bias: t.bias ?? null, gate: t.gate ?? null, residual: t.residual ?? null }
      return packed
        ? ops.gemm(t.a!, new ops.PackedWeight(t.b!, { transpose: transposeB ?? false }), {
            ...rest,
            ...dropout,
            ...tensors,
          })
        : ops.gemm(t.a!, t.b!, { ...settings, ...dropout, ...tensors })
    },
    reference: (v, r) => [gemm(v, variant, r)],
    gradient: (v, [dY], r) => gemmGradient(v, variant, dY!, r),
  }
}

const at = { dropoutP: 0.25, seed: 7, site: 3, step: 11 }
const everything: readonly Extra[] = ['c', 'bias', 'gate', 'residual']
const layouts = [
  ['NN', {}],
  ['NT', { transposeB: true }],
  ['TN', { transposeA: true }],
  ['TT', { transposeA: true, transposeB: true }],
] as const

/** Around the tiles' 6 × 16 and 6 × 64, the items' 128 columns, 96 packed rows and 512 of K. */
const shapes: readonly Shape[] = [
  { m: 1, n: 1, k: 1 },
  { m: 1, n: 33, k: 17 },
  { m: 3, n: 5, k: 7 },
  { m: 5, n: 16, k: 31 },
  { m: 7, n: 15, k: 9 },
  { m: 13, n: 131, k: 8 },
  { m: 37, n: 1, k: 29 },
  { m: 33, n: 17, k: 3 },
  { m: 53, n: 32, k: 47 },
  { m: 97, n: 49, k: 21 },
  { m: 20, n: 65, k: 11 },
  { m: 0, n: 3, k: 4 },
  { m: 4, n: 3, k: 0 },
]

const text = ({ m, n, k, leading = [] }: Shape) => `(${[...leading, m, k]})(${[k, n]})`

export const gemmCases: Case[] = [
  ...layouts.flatMap(([name, layout]) => [
    ...shapes.map((shape) => gemmCase(`${name} ${text(shape)}`, shape, layout)),
    gemmCase(`${name} strided`, { m: 19, n: 21, k: 23 }, { ...layout, strided: true }),
    gemmCase(`${name} rows apart`, { m: 26, n: 40, k: 24 }, { ...layout, strided: 'rows', alpha: 0.5 }),
    gemmCase(`${name} batched`, { m: 9, n: 11, k: 5, leading: [2, 3] }, layout),
    gemmCase(`${name} one b for a batch`, { m: 7, n: 6, k: 5, leading: [3, 2], sharedB: true }, layout),
    gemmCase(
      `${name} all of the epilogue`,
      { m: 14, n: 37, k: 10 },
      {
        ...layout,
        extras: everything,
        act: 'geluTanh',
        alpha: -1.5,
        beta: 0.75,
        dropout: at,
      },
    ),
  ]),
  gemmCase('NT K in two blocks', { m: 8, n: 24, k: 700 }, { transposeB: true, extras: ['bias'] }),
  gemmCase('NN K in two blocks, few columns', { m: 20, n: 18, k: 601 }, { extras: everything, act: 'silu' }),
  gemmCase('TN K in two blocks', { m: 18, n: 20, k: 515 }, { transposeA: true, alpha: 2 }),
  gemmCase('NN several items', { m: 23, n: 259, k: 12 }, { extras: ['bias'], dropout: at }),
  gemmCase('TN many rows', { m: 521, n: 17, k: 6 }, { transposeA: true }),
  {
    ...gemmCase('large values', { m: 9, n: 18, k: 20 }, { scale: 1e18, act: 'relu' }),
    sixteenBitGradient: false as const,
  },
  gemmCase(
    'batched epilogue',
    { m: 5, n: 12, k: 4, leading: [3] },
    { extras: everything, act: 'geluErf', dropout: at },
  ),
  gemmCase('strided epilogue', { m: 6, n: 19, k: 4 }, { extras: everything, act: 'relu', strided: true }),
  ...(['none', 'relu', 'geluErf', 'geluTanh', 'silu'] as const).flatMap((act) => [
    gemmCase(`act ${act}`, { m: 13, n: 22, k: 18 }, { act, transposeB: true, extras: ['bias'] }),
    gemmCase(`gate and ${act}`, { m: 7, n: 35, k: 6 }, { act, extras: ['gate'] }),
  ]),
  gemmCase(
    'dots with the whole epilogue',
    { m: 6, n: 30, k: 40 },
    {
      transposeB: true,
      extras: everything,
      act: 'geluErf',
      dropout: at,
    },
  ),
  gemmCase('everything dropped', { m: 6, n: 9, k: 4 }, { dropout: { ...at, dropoutP: 1 }, extras: ['residual'] }),
  gemmCase('beta 0', { m: 6, n: 9, k: 4 }, { beta: 0, extras: ['c'] }),
  ...([1, 2, 3, 5, 7, 40] as const).map((m) =>
    gemmCase(`packed ${m} rows`, { m, n: 45, k: 530 }, { packed: true, transposeB: true, extras: ['bias'] }),
  ),
  // Whole tiles, several panels and two blocks of K, with what inference adds to them.
  ...(['none', 'relu', 'geluErf', 'geluTanh', 'silu'] as const).flatMap((act) => [
    gemmCase(
      `packed, several panels, ${act}`,
      { m: 8, n: 152, k: 520 },
      { packed: true, act, extras: ['bias', 'residual'], scale: 0.05 }, // z where activations bend
    ),
    gemmCase(`whole tiles, ${act}`, { m: 19, n: 128, k: 9 }, { act, extras: ['residual'] }),
  ]),
  gemmCase('whole tiles, K in two blocks', { m: 18, n: 64, k: 520 }, { extras: ['bias', 'residual'] }),
  gemmCase('packed, several items', { m: 6, n: 530, k: 10 }, { packed: true, extras: ['bias'] }),
  gemmCase('packed, many rows', { m: 261, n: 70, k: 6 }, { packed: true, extras: ['bias'] }),
  gemmCase('packed NN, batch', { m: 4, n: 64, k: 20, leading: [2], sharedB: true }, { packed: true, act: 'relu' }),
  gemmCase('packed strided', { m: 14, n: 19, k: 20 }, { packed: true, strided: true }),
  {
    ...gemmCase('NT bench (512,768)(768,3072)', { m: 512, n: 3072, k: 768 }, { transposeB: true }),
    flops: 2 * 512 * 3072 * 768,
    bytes: 4 * (512 * 768 + 768 * 3072 + 512 * 3072),
  },
]
