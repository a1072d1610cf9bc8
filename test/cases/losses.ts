import { ops } from '../../lib/index.ts'
import { fromFn, type NdArray, type Round } from '../reference/array.ts'
import { type BceReduction, bce, bceGradient } from '../reference/binary-cross-entropy.ts'
import {
  crossEntropy,
  crossEntropyGradient,
  type LossRule,
  linearLogits,
  linearLogitsGradient,
} from '../reference/cross-entropy.ts'
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

const crossEntropyCases: Case[] = [
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

const binaryCrossEntropyCases: Case[] = [
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

const replaceTokensCases: Case[] = [
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

interface LinearShape {
  n: number
  k: number
  v: number
  bias?: boolean
}

const linearInputs = ({ n, k, v, bias = false }: LinearShape): Record<string, Input> => ({
  x: { shape: [n, k] },
  weight: { shape: [v, k] },
  ...(bias && { bias: { shape: [v] } }),
})

function linearGradient(x: Record<string, NdArray>, dLogits: NdArray, r: Round) {
  const { bias, ...gradients } = linearLogitsGradient(x.x!, x.weight!, dLogits, r)
  return x.bias ? { ...gradients, bias } : gradients
}

function linearCase(name: string, shape: LinearShape, rule: LossRule = {}, x: Partial<Input> = {}): Case {
  const { n, k, v } = shape
  const inputs = linearInputs(shape)
  const logitsOf = (a: Readonly<Record<string, NdArray>>, r: Round) => linearLogits(a.x!, a.weight!, a.bias ?? null, r)
  return {
    name: `linearCrossEntropy ${name} (${n}, ${k}, ${v})`,
    covers: ['linearCrossEntropy', 'scale'],
    inputs: {
      ...inputs,
      x: { ...inputs.x!, ...x },
      labels: labelsOf(n, v, rule.ignoreIndex),
      ...(rule.reduction === 'weighted' && { weights: weightsOf(n) }),
    },
    run: (t) =>
      ops.linearCrossEntropy(t.x!, t.weight!, t.bias ?? null, t.labels!, { ...rule, weights: t.weights ?? null }),
    reference: (a, r) => [crossEntropy(logitsOf(a, r), a.labels!, rule, a.weights ?? null, r)],
    gradient: (a, [dLoss], r) =>
      linearGradient(a, crossEntropyGradient(logitsOf(a, r), a.labels!, rule, a.weights ?? null, dLoss!, r), r),
  }
}

const linearCrossEntropyCases: Case[] = [
  linearCase('one of each', { n: 1, k: 1, v: 1 }),
  linearCase('no rows', { n: 0, k: 3, v: 5, bias: true }),
  linearCase('plain', { n: 17, k: 8, v: 131 }),
  linearCase('bias', { n: 13, k: 33, v: 129, bias: true }),
  linearCase('three blocks of tokens', { n: 517, k: 5, v: 11, bias: true }),
  linearCase('weighted, z', { n: 19, k: 7, v: 65, bias: true }, { reduction: 'weighted', zLoss: 1e-3 }),
  linearCase('t5x sum', { n: 9, k: 16, v: 40 }, { reduction: 'sum', labelSmoothing: 0.1, smoothing: 't5x' }),
  linearCase('none', { n: 23, k: 6, v: 47, bias: true }, { reduction: 'none', labelSmoothing: 0.1 }),
  linearCase('row-strided', { n: 15, k: 9, v: 21 }, {}, { strided: 'rows' }),
  {
    ...linearCase('bench', { n: 512, k: 512, v: 32128 }),
    flops: 2 * 512 * 512 * 32128,
    bytes: 4 * (2 * 512 * 32128 + 512 * 512),
  },
]

function generatorCase(name: string, tokens: number, shape: LinearShape, options: Sampling, weighted = false): Case {
  const { n: m, k, v } = shape
  const labels = (a: Readonly<Record<string, NdArray>>) =>
    fromFn([m], (i) => a.originalIds!.data[a.positions!.data[i]!]!)
  const logitsOf = (a: Readonly<Record<string, NdArray>>, r: Round) => linearLogits(a.x!, a.weight!, a.bias ?? null, r)
  const rule: LossRule = { reduction: 'weighted' }
  return {
    name: `generatorObjective ${name} (${m}, ${k}, ${v})`,
    covers: ['generatorObjective', 'scale'],
    inputs: {
      ...linearInputs(shape),
      originalIds: { shape: [tokens], dtype: 'int32', values: (_, random) => random.integer(v) },
      positions: { shape: [m], dtype: 'int32', values: (_, random) => random.integer(tokens) },
      ...(weighted && { weights: weightsOf(m) }),
    },
    run: (t) => {
      const bias = t.bias ?? null
      const settings = { ...options, weights: t.weights ?? null }
      const result = ops.generatorObjective(t.x!, t.weight!, bias, t.originalIds!, t.positions!, settings)
      return [result.loss, result.corruptedIds, result.isReplaced, result.sampledIds]
    },
    reference: (a, r) => {
      const logits = logitsOf(a, r)
      return [
        crossEntropy(logits, labels(a), rule, a.weights ?? null, r),
        ...replaceTokens(logits, a.originalIds!, a.positions!, options),
      ]
    },
    gradient: (a, [dLoss], r) =>
      linearGradient(a, crossEntropyGradient(logitsOf(a, r), labels(a), rule, a.weights ?? null, dLoss!, r), r),
    // Central differences would step over edges of the CDF.
    centralDifferences: false,
  }
}

const generatorObjectiveCases: Case[] = [
  generatorCase('plain', 50, { n: 21, k: 8, v: 300 }, { seed: 11 }),
  generatorCase('bias, weights', 50, { n: 33, k: 5, v: 129, bias: true }, { seed: 12, step: 3 }, true),
  generatorCase('hot', 40, { n: 9, k: 12, v: 257, bias: true }, { seed: 13, temperature: 2, disallowCorrect: true }),
  generatorCase('three blocks of rows', 600, { n: 515, k: 3, v: 17 }, { seed: 14 }),
  generatorCase('nothing selected', 7, { n: 0, k: 4, v: 10, bias: true }, { seed: 15 }),
  {
    ...generatorCase('bench', 4096, { n: 512, k: 128, v: 30522, bias: true }, { seed: 16 }),
    flops: 2 * 512 * 128 * 30522,
    bytes: 4 * (2 * 128 * 30522 + 512 * 128),
  },
]

export const lossCases: readonly Case[] = [
  ...crossEntropyCases,
  ...binaryCrossEntropyCases,
  ...replaceTokensCases,
  ...linearCrossEntropyCases,
  ...generatorObjectiveCases,
]
