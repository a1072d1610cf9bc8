import { Tensor } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { fromFn, type NdArray, type Round } from '../reference/array.ts'
import * as reference from '../reference/optimizer.ts'
import type { Case, Input } from './case.ts'

type Attrs = Record<string, number | boolean | string>

// Scalars, vectors, a matrix with a tail in every vector width, higher ranks, nothing, more than one chunk.
const shapes: number[][] = [[], [1], [7], [9, 13], [3, 5, 17], [0, 4], [2, 3, 4, 5], [130, 129], [257, 129]]
const steps = 3

/** Inputs p0, p1, … and g0_1 (gradient of tensor 0 at step 1), …; sizes of gradients differ by step. */
function inputsOf(list: readonly number[][], scale = 1): Record<string, Input> {
  const inputs: Record<string, Input> = {}
  list.forEach((shape, i) => {
    inputs[`p${i}`] = { shape, gradient: false }
    for (let t = 1; t <= steps; t++) inputs[`g${i}_${t}`] = { shape, scale: scale * 10 ** (t - 2), gradient: false }
  })
  return inputs
}

interface Rule<O> {
  readonly op: 'sgd' | 'adagrad' | 'adamw' | 'adafactor'
  readonly defaults: O
  /** States by slot: the shape of a tensor's state, or null where it has none. */
  readonly slots: (o: O) => Record<string, (shape: readonly number[]) => readonly number[] | null>
  readonly step: (p: NdArray, g: NdArray, s: reference.States, t: number, o: O, r: Round) => NdArray
}

/** Several steps over a group; outputs: the parameters, then every slot's states. */
function trajectory<O extends object>(rule: Rule<O>, name: string, own: Partial<O>, list = shapes, scale = 1): Case {
  const options = { ...rule.defaults, ...own }
  const slots = Object.entries(rule.slots(options))
  return {
    name: `${rule.op} ${name}`,
    covers: [rule.op],
    inputs: inputsOf(list, scale),
    sixteenBit: false,
    run: (t) => {
      const params = list.map((_, i) => t[`p${i}`]!)
      const states = slots.map(([, shapeOf]) => list.flatMap((shape) => zerosOf(shapeOf(shape))))
      for (let step = 1; step <= steps; step++) {
        const grads = list.map((_, i) => t[`g${i}_${step}`]!)
        const run = native[rule.op] as (...args: unknown[]) => void
        run(params, grads, ...states, [], null, null, { ...(options as Attrs), step })
      }
      return [...params, ...states.flat()]
    },
    reference: (v, r) => {
      const states = list.map((): reference.States => ({}))
      const params = list.map((_, i) => {
        let p = v[`p${i}`]!
        for (let t = 1; t <= steps; t++) p = rule.step(p, v[`g${i}_${t}`]!, states[i]!, t, options, r)
        return p
      })
      return [...params, ...slots.flatMap(([slot]) => states.flatMap((state) => state[slot] ?? []))]
    },
  }
}

function zerosOf(shape: readonly number[] | null): Tensor[] {
  return shape ? [Tensor.zeros(shape)] : []
}

const same = (shape: readonly number[]) => shape

const sgd: Rule<reference.SgdRule> = {
  op: 'sgd',
  defaults: { lr: 0.1, weightDecay: 0, momentum: 0.9, nesterov: false },
  slots: (o) => (o.momentum === 0 ? { velocities: () => null } : { velocities: same }),
  step: (p, g, s, _, o, r) => {
    const next = reference.sgd(p, g, s, o, r)
    if (o.momentum === 0) delete s.velocities
    return next
  },
}

const adagrad: Rule<reference.AdagradRule> = {
  op: 'adagrad',
  defaults: { lr: 0.05, weightDecay: 0, lrDecay: 0, eps: 1e-10 },
  slots: () => ({ sums: same }),
  step: reference.adagrad,
}

const adamw: Rule<reference.AdamwRule> = {
  op: 'adamw',
  defaults: {
    lr: 0.01,
    weightDecay: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-6,
    biasCorrection: true,
    rmsScale: false,
  },
  slots: () => ({ means: same, squares: same }),
  step: reference.adamw,
}

const adafactor: Rule<reference.AdafactorRule> = {
  op: 'adafactor',
  defaults: {
    lr: 0.01,
    weightDecay: 0,
    factoring: 'lastTwo',
    minDimSizeToFactor: 0,
    relativeStep: false,
    warmupInit: false,
    scaleParameter: true,
    decayRate: -0.8,
    eps1: 1e-30,
    eps2: 1e-3,
    clipThreshold: 1,
    beta1: 0,
  },
  slots: (o) => ({
    rows: (shape) => without(shape, o, 1),
    columns: (shape) => without(shape, o, 0),
    squares: (shape) => (reference.factoredAxes(shape, o) ? null : shape),
    means: (shape) => (o.beta1 > 0 ? shape : null),
  }),
  step: reference.adafactor,
}

function without(shape: readonly number[], o: reference.AdafactorRule, which: 0 | 1): readonly number[] | null {
  const axes = reference.factoredAxes(shape, o)
  return axes && shape.filter((_, axis) => axis !== axes[which])
}

// T5's rule at its border; and axes that are neither the last two nor neighbours.
const borders = [
  [127, 128],
  [128, 129],
  [129, 128],
  [128, 3, 130],
  [130, 128, 2],
  [2, 128, 3, 129],
]

const clipShapes = [[], [7], [0, 4], [130, 129]]

function clipCase(name: string, style: 'torch' | 'tf', maxNorm: number, scale: number): Case {
  return {
    name: `clipByGlobalNorm ${name}`,
    covers: ['globalNorm', 'clipByGlobalNorm'],
    inputs: Object.fromEntries(clipShapes.map((shape, i) => [`g${i}`, { shape, scale, gradient: false }])),
    sixteenBit: false,
    run: (t) => {
      const grads = clipShapes.map((_, i) => t[`g${i}`]!)
      const norm = native.globalNorm(grads)
      native.clipByGlobalNorm(grads, norm, { maxNorm, style })
      return [norm, ...grads]
    },
    reference: (v, r) => {
      const grads = clipShapes.map((_, i) => v[`g${i}`]!)
      const norm = reference.globalNorm(grads, r)
      const factor = style === 'tf' ? r(maxNorm / Math.max(norm, maxNorm)) : Math.min(1, r(maxNorm / (norm + 1e-6)))
      return [fromFn([], () => norm), ...grads.map((g) => fromFn(g.shape, (i) => r(g.data[i]! * factor)))]
    },
  }
}

const benchShapes = [[512, 512], [512, 2048], [2048]]
const benchSize = benchShapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0)

function bench<O extends object>(rule: Rule<O>, bytes: number): Case {
  const test = trajectory(rule, 'bench', {}, benchShapes)
  return { ...test, flops: benchSize * 10 * steps, bytes: benchSize * bytes * steps }
}

export const optimizerCases: Case[] = [
  trajectory(sgd, 'plain', { momentum: 0 }),
  trajectory(sgd, 'momentum and decay', { weightDecay: 0.01 }),
  trajectory(sgd, 'nesterov', { nesterov: true, weightDecay: 0.01 }),
  trajectory(sgd, 'large', {}, [[9, 13]], 1e20),
  trajectory(adagrad, 'plain', {}),
  trajectory(adagrad, 'lrDecay and decay', { lrDecay: 0.1, weightDecay: 0.01 }),
  trajectory(adamw, 'bias-corrected', {}),
  trajectory(adamw, 'ELECTRA', { biasCorrection: false }),
  trajectory(adamw, 'AdamWScale', { rmsScale: true, weightDecay: 0.1 }),
  trajectory(adamw, 'tiny gradients', {}, [[9, 13]], 1e-12),
  trajectory(adafactor, 'Hugging Face', {}),
  trajectory(adafactor, 'relative step, warm-up, momentum', { relativeStep: true, warmupInit: true, beta1: 0.9 }),
  trajectory(adafactor, 'fixed rate, decay', { scaleParameter: false, weightDecay: 0.1 }),
  trajectory(adafactor, 'T5 rule', { factoring: 'largestTwo', minDimSizeToFactor: 128, relativeStep: true }, borders),
  trajectory(adafactor, 'T5 rule without a least size', { factoring: 'largestTwo', beta1: 0.5 }),
  trajectory(adafactor, 'last two with a least size', { minDimSizeToFactor: 128 }, borders),
  trajectory(adafactor, 'several pieces of a matrix', { beta1: 0.9 }, [[600, 130]]),
  trajectory(adafactor, 'high clip threshold', { clipThreshold: 100 }),
  clipCase('torch', 'torch', 1, 1),
  clipCase('tf', 'tf', 1, 1),
  clipCase('nothing to clip', 'torch', 1e6, 1),
  clipCase('large', 'tf', 1, 1e17),
  bench(sgd, 20),
  bench(adagrad, 20),
  bench(adamw, 28),
  bench(adafactor, 28),
]
