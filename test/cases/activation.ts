import { ops } from '../../lib/index.ts'
import { type FunctionName, functions, gated, gatedGradient, unary, unaryGradient } from '../reference/activation.ts'
import type { Case, Input } from './case.ts'

/** Of these the domain is positive. */
const positive = new Set<FunctionName>(['sqrt', 'rsqrt', 'log'])

function unaryCase(name: FunctionName, title: string, x: Input): Case {
  return {
    name: `${name} ${title}`,
    covers: ['unary', 'unaryBwd'],
    inputs: {
      x: positive.has(name) ? { ...x, values: (_, random) => Math.exp(random.normal() * (x.scale ?? 1)) + 0.01 } : x,
    },
    run: (t) => ops[name](t.x!),
    reference: (v, r) => [unary(name, v.x!, r)],
    gradient: (v, [dY], r) => ({ x: unaryGradient(name, v.x!, dY!, r) }),
  }
}

const names = Object.keys(functions) as FunctionName[]

export const unaryCases: Case[] = [
  ...names.flatMap((name) => [
    unaryCase(name, '(3,43)', { shape: [3, 43] }),
    unaryCase(name, 'strided', { shape: [5, 17], strided: true }),
    // Central differences of a logarithm would step below 0 here.
    {
      ...unaryCase(name, 'wide', { shape: [301], scale: 5 }),
      ...(name === 'exp' && { sixteenBitGradient: false as const }),
      ...(positive.has(name) && { centralDifferences: false as const }),
    },
    unaryCase(name, 'empty', { shape: [0, 3] }),
    unaryCase(name, 'two blocks', { shape: [8193] }),
  ]),
  { ...unaryCase('geluTanh', 'bench (2048,1024)', { shape: [2048, 1024] }), flops: 1 << 21, bytes: 8 << 21 },
  { ...unaryCase('geluErf', 'bench (2048,1024)', { shape: [2048, 1024] }), flops: 1 << 21, bytes: 8 << 21 },
]

const gates = ['relu', 'geluErf', 'geluTanh', 'silu'] as const

function gatedCase(kind: (typeof gates)[number], title: string, gate: Input, linear: Input): Case {
  return {
    name: `gated ${kind} ${title}`,
    covers: ['gated', 'gatedBwd'],
    inputs: { gate, linear },
    run: (t) => ops.gated(t.gate!, t.linear!, kind),
    reference: (v, r) => [gated(kind, v.gate!, v.linear!, r)],
    gradient: (v, [dY], r) => {
      const [dGate, dLinear] = gatedGradient(kind, v.gate!, v.linear!, dY!, r)
      return { gate: dGate, linear: dLinear }
    },
  }
}

export const gatedCases: Case[] = [
  ...gates.flatMap((kind) => [
    gatedCase(kind, '(7,37)', { shape: [7, 37], scale: 2 }, { shape: [7, 37] }),
    gatedCase(kind, 'rows', { shape: [3, 5, 64], strided: 'rows' }, { shape: [3, 5, 64], strided: true }),
    gatedCase(kind, 'empty', { shape: [0, 8] }, { shape: [0, 8] }),
  ]),
  {
    ...gatedCase('geluTanh', 'bench (2048,1024)', { shape: [2048, 1024] }, { shape: [2048, 1024] }),
    flops: 2 << 21,
    bytes: 12 << 21,
  },
]
