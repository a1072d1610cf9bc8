import { ops } from '../../lib/index.ts'
import { type BceReduction, bce, bceGradient } from '../reference/binary-cross-entropy.ts'
import { crossEntropy, crossEntropyGradient, type LossRule } from '../reference/cross-entropy.ts'
import { replaceTokens, type Sampling } from '../reference/token-sampler.ts'
import type { Case, Input, Random } from './case.ts'

/** Labels in [0, v), about one in six of them ignored. */
export const labelsOf = (n: number, v: number, ignored = -100): Input => ({
  shape: [n],
  dtype: 'int32',
  values: (_, random) => (random.integer(6) === 0 ? ignored : random.integer(v)),
})

const weightsOf = (n: number): Input => ({
  shape: [n],
  gradient: false,
  values: (i, random) => (i % 4 === 1 ? 0 : random.uniform() * 2),
})

function crossEntropyCase(name: string, n: number, v: number, rule: LossRule = {}, logits: Partial<Input> = {}): Case {
  const weighted = rule.reduction === 'weighted'
  return {
    name: `crossEntropy ${name} (${n}, ${v})`,
    covers: ['crossEntropyFwd', 'crossEntropyBwd'],
    inputs: {
      logits: { shape: [n, v], scale: 2, ...logits },
      labels: labelsOf(n, v, rule.ignoreIndex),
      ...(weighted && { weights: weightsOf(n) }),
    },
    run: (t) => ops.crossEntropy(t.logits!, t.labels!, { ...rule, weights: t.weights ?? null }),
    reference: (x, r) => [crossEntropy(x.logits!, x.labels!, rule, x.weights ?? null, r)],
    gradient: (x, [dLoss], r) => ({
      logits: crossEntropyGradient(x.logits!, x.labels!, rule, x.weights ?? null, dLoss!, r),
    }),
  }
}

const oneInfinite = (i: number, random: Random) => (i % 7 === 3 ? -Infinity : random.normal())

export const crossEntropyCases: Case[] = [
  crossEntropyCase('one class', 3, 1),
  crossEntropyCase('no rows', 0, 5),
  crossEntropyCase('plain', 1, 2),
  crossEntropyCase('plain', 17, 127),
  crossEntropyCase('plain', 5, 128),
  crossEntropyCase('plain', 6, 129),
  crossEntropyCase('sum', 7, 1031, { reduction: 'sum' }),
  crossEntropyCase('none', 13, 37, { reduction: 'none' }),
  crossEntropyCase('weighted', 21, 65, { reduction: 'weighted', zLoss: 1e-3 }),
  crossEntropyCase('ignore 0', 9, 33, { ignoreIndex: 0 }),
  crossEntropyCase('uniform smoothing', 11, 300, { labelSmoothing: 0.1 }),
  crossEntropyCase('t5x smoothing and z', 11, 300, { labelSmoothing: 0.1, smoothing: 't5x', zLoss: 1e-4 }),
  crossEntropyCase('z, none', 8, 513, { zLoss: 1e-2, reduction: 'none' }),
  crossEntropyCase('strided', 9, 40, { labelSmoothing: 0.2 }, { strided: true }),
  crossEntropyCase('row-strided', 9, 40, {}, { strided: 'rows' }),
  {
    ...crossEntropyCase('large', 9, 257, { zLoss: 1e-6 }, { scale: 3000 }),
    centralDifferences: false,
    sixteenBit: false,
  },
  {
    ...crossEntropyCase('-inf logits', 9, 141, {}, { values: oneInfinite }),
    centralDifferences: false,
  },
  {
    ...crossEntropyCase('bench', 512, 32128),
    flops: 4 * 512 * 32128,
    bytes: 4 * 512 * 32128,
  },
]

function bceCase(
  name: string,
  shape: number[],
  reduction: BceReduction,
  masked: boolean,
  x: Partial<Input> = {},
): Case {
  return {
    name: `bceWithLogits ${name} (${shape}) ${reduction}`,
    covers: ['bceWithLogits'],
    inputs: {
      x: { shape, scale: 4, ...x },
      y: { shape, gradient: false, values: (_, random) => random.uniform() },
      ...(masked && { mask: { shape, dtype: 'uint8', values: (_: number, random: Random) => random.integer(2) } }),
    },
    run: (t) => ops.bceWithLogits(t.x!, t.y!, { reduction, mask: t.mask ?? null }),
    reference: (v, r) => [bce(v.x!, v.y!, v.mask ?? null, reduction, r)],
    gradient: (v, [dLoss], r) => ({ x: bceGradient(v.x!, v.y!, v.mask ?? null, reduction, dLoss!, r) }),
  }
}

function rtdCase(n: number, masked: boolean): Case {
  const bits = (one: number): Input => ({
    shape: [n],
    dtype: 'uint8',
    values: (_, random) => Number(random.uniform() < one),
  })
  return {
    name: `rtdLoss (${n})${masked ? ' masked' : ''}`,
    covers: ['rtdLoss'],
    inputs: { x: { shape: [n], scale: 3 }, y: bits(0.15), ...(masked && { mask: bits(0.8) }) },
    run: (t) => ops.rtdLoss(t.x!, t.y!, t.mask),
    reference: (v, r) => [bce(v.x!, v.y!, v.mask ?? null, 'mean', r)],
    gradient: (v, [dLoss], r) => ({ x: bceGradient(v.x!, v.y!, v.mask ?? null, 'mean', dLoss!, r) }),
  }
}

export const binaryCrossEntropyCases: Case[] = [
  bceCase('scalar', [], 'mean', false),
  bceCase('empty', [0, 3], 'mean', false),
  bceCase('plain', [7], 'mean', false),
  bceCase('masked', [3, 11], 'mean', true),
  bceCase('two blocks', [4099], 'sum', true),
  bceCase('plain', [2, 3, 5], 'none', true),
  bceCase('strided', [9, 13], 'none', false, { strided: true }),
  { ...bceCase('large', [131], 'mean', false, { scale: 300 }), centralDifferences: false },
  rtdCase(0, false),
  rtdCase(1, false),
  rtdCase(1031, false),
  rtdCase(9001, true),
  { ...rtdCase(1 << 16, false), name: 'rtdLoss bench', flops: 20 << 16, bytes: 5 << 16 },
]

function replaceCase(name: string, m: number, v: number, n: number, options: Sampling): Case {
  return {
    name: `replaceTokens ${name} (${m}, ${v})`,
    covers: ['replaceTokens'],
    inputs: {
      logits: { shape: [m, v], scale: 2, gradient: false },
      originalIds: { shape: [n], dtype: 'int32', values: (_, random) => random.integer(v) },
      positions: { shape: [m], dtype: 'int32', values: (_, random) => random.integer(n) },
    },
    run: (t) => {
      const result = ops.replaceTokens(t.logits!, t.originalIds!, t.positions!, options)
      return [result.corruptedIds, result.isReplaced, result.sampledIds]
    },
    reference: (x) => replaceTokens(x.logits!, x.originalIds!, x.positions!, options),
  }
}

export const replaceTokensCases: Case[] = [
  replaceCase('plain', 37, 1000, 100, { seed: 1 }),
  replaceCase('one class', 3, 1, 5, { seed: 2 }),
  replaceCase('one block', 19, 128, 40, { seed: 3, site: 5, step: 7 }),
  replaceCase('hot', 33, 129, 50, { seed: 4, temperature: 2.5 }),
  replaceCase('cold, without the true token', 33, 300, 50, {
    seed: 2 ** 40 + 5,
    temperature: 0.3,
    disallowCorrect: true,
  }),
  replaceCase('nothing selected', 0, 10, 6, { seed: 6 }),
  {
    ...replaceCase('bench', 512, 32128, 4096, { seed: 7 }),
    flops: 3 * 512 * 32128,
    bytes: 4 * 512 * 32128,
  },
]
