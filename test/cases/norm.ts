import { ops } from '../../lib/index.ts'
import { fromFn } from '../reference/array.ts'
import { norm, normGradient, sum } from '../reference/norm.ts'
import { type DropoutAt, dropout } from '../reference/philox.ts'
import type { Case, Input } from './case.ts'

/** Weights around 1, as trained ones are; biases and whatever else normal. */
const around1 = (D: number): Input => ({ shape: [D], values: (_, random) => 1 + 0.3 * random.normal() })

function rmsCase(title: string, x: Input, eps: number): Case {
  return {
    name: `rmsNorm ${title}`,
    covers: ['rmsNorm', 'rmsNormBwd'],
    inputs: { x, weight: around1(x.shape.at(-1)!) },
    run: (t) => ops.rmsNorm(t.x!, t.weight!, { eps }),
    reference: (v, r) => [norm(v.x!, v.weight!, undefined, eps, r)],
    gradient: (v, [dY], r) => {
      const { dH, dWeight } = normGradient(v.x!, v.weight!, false, eps, dY!, r)
      return { x: dH, weight: dWeight }
    },
  }
}

function layerCase(title: string, x: Input, eps: number): Case {
  return {
    name: `layerNorm ${title}`,
    covers: ['layerNorm', 'layerNormBwd'],
    inputs: { x, weight: around1(x.shape.at(-1)!), bias: { shape: [x.shape.at(-1)!] } },
    run: (t) => ops.layerNorm(t.x!, t.weight!, t.bias!, { eps }),
    reference: (v, r) => [norm(v.x!, v.weight!, v.bias!, eps, r)],
    gradient: (v, [dY], r) => {
      const { dH, dWeight, dBias } = normGradient(v.x!, v.weight!, true, eps, dY!, r)
      return { x: dH, weight: dWeight, bias: dBias }
    },
  }
}

const noDropout = { dropoutP: 0, seed: 0, site: 0, step: 0 }

/** Both norms with h = residual + dropout(x) before them, and a gradient that reaches h, too. */
function residualCase(centered: boolean, title: string, x: Input, at: DropoutAt): Case {
  const D = x.shape.at(-1)!
  const eps = centered ? 1e-12 : 1e-6
  return {
    name: `${centered ? 'residualLayerNorm' : 'residualRmsNorm'} ${title}`,
    covers: centered ? ['layerNorm', 'layerNormBwd'] : ['rmsNorm', 'rmsNormBwd'],
    inputs: {
      x,
      residual: { shape: x.shape },
      weight: around1(D),
      ...(centered && { bias: { shape: [D] } }),
    },
    run: (t) =>
      centered
        ? ops.residualLayerNorm(t.x!, t.residual!, t.weight!, t.bias!, { eps, ...at })
        : ops.residualRmsNorm(t.x!, t.residual!, t.weight!, { eps, ...at }),
    reference: (v, r) => {
      const h = sum(dropout(v.x!, at, r), v.residual, r)
      return [norm(h, v.weight!, v.bias, eps, r), h]
    },
    gradient: (v, [dY, dHOut], r) => {
      const h = sum(dropout(v.x!, at, r), v.residual, r)
      const { dH, dWeight, dBias } = normGradient(h, v.weight!, centered, eps, dY!, r)
      const total = fromFn(h.shape, (i) => r(dH.data[i]! + dHOut!.data[i]!))
      return { x: dropout(total, at, r), residual: total, weight: dWeight, ...(centered && { bias: dBias }) }
    },
  }
}

const shapes: number[][] = [
  [1, 1],
  [3, 7],
  [2, 5, 64],
  [131, 33],
  [4, 513],
  [0, 8],
  [300, 16],
]
const at = { dropoutP: 0.25, seed: 99, site: 3, step: 12 }

export const normCases: Case[] = [
  ...shapes.flatMap((shape) => [rmsCase(`(${shape})`, { shape }, 1e-6), layerCase(`(${shape})`, { shape }, 1e-12)]),
  rmsCase('small enough for eps to count', { shape: [5, 24], scale: 1e-3 }, 1e-6),
  { ...rmsCase('large', { shape: [5, 24], scale: 1e10 }, 1e-6), sixteenBit: false, centralDifferences: false },
  rmsCase('rows', { shape: [3, 5, 24], strided: 'rows' }, 1e-6),
  layerCase('eps 1e-5', { shape: [6, 40] }, 1e-5),
  layerCase('rows', { shape: [3, 5, 24], strided: true }, 1e-12),
  {
    // Deviations that are small beside the mean: what a sum of squares would lose.
    ...layerCase('off center', { shape: [4, 96], values: (_, random) => 100 + random.normal() }, 1e-12),
    sixteenBit: false,
  },
  ...[false, true].flatMap((centered) => [
    residualCase(centered, '(5,33)', { shape: [5, 33] }, noDropout),
    residualCase(centered, '(5,100) with dropout', { shape: [5, 100] }, at),
    residualCase(centered, '(2,3,65) with dropout, rows', { shape: [2, 3, 65], strided: 'rows' }, at),
    // More columns than a block of a device keeps in registers.
    residualCase(centered, '(2,4104) with dropout', { shape: [2, 4104] }, at),
  ]),
  { ...rmsCase('bench (4096,512)', { shape: [4096, 512] }, 1e-6), flops: 4 << 21, bytes: 8 << 21 },
  { ...residualCase(false, 'bench (4096,512)', { shape: [4096, 512] }, noDropout), flops: 5 << 21, bytes: 16 << 21 },
  { ...layerCase('bench (4096,512)', { shape: [4096, 512] }, 1e-12), flops: 7 << 21, bytes: 8 << 21 },
]
