import { ops } from '../../lib/index.ts'
import { type ReduceKind, reduce, reduceGradient } from '../reference/reduce.ts'
import type { Case, Input } from './case.ts'

function reduceCase(kind: ReduceKind, title: string, x: Input, axes?: number[], keepDims = false): Case {
  const all = axes ?? x.shape.map((_, i) => i)
  return {
    name: `${kind} ${title}`,
    covers: kind === 'max' ? ['reduce', 'maxBwd'] : ['reduce'],
    inputs: { x },
    run: (t) => ops[kind](t.x!, axes ? { axes, keepDims } : { keepDims }),
    reference: (v, r) => [reduce(kind, v.x!, all, keepDims, r)],
    gradient: (v, [dY], r) => ({ x: reduceGradient(kind, v.x!, all, dY!, r) }),
  }
}

// One sum of values around 0 may be near 0 itself, and the tolerance is in proportion to it.
const around1: Input['values'] = (_, random) => 1 + random.normal()
const twos: Input['values'] = (_, random) => random.integer(3)

export const reduceCases: Case[] = [
  ...(['sum', 'mean', 'max'] as const).flatMap((kind) => [
    reduceCase(kind, 'of a scalar', { shape: [] }),
    reduceCase(kind, 'of all (3,5,17)', { shape: [3, 5, 17], values: around1 }),
    reduceCase(kind, 'of all, strided', { shape: [3, 5, 17], strided: true, values: around1 }),
    reduceCase(kind, 'of rows', { shape: [9, 131] }, [1]),
    reduceCase(kind, 'of rows apart', { shape: [2, 9, 131], strided: 'rows' }, [2]),
    reduceCase(kind, 'of columns', { shape: [300, 33] }, [0]),
    reduceCase(kind, 'of columns in sets', { shape: [3, 130, 5], strided: 'rows' }, [1]),
    reduceCase(kind, 'of the outer two', { shape: [7, 20, 5] }, [0, 1]),
    reduceCase(kind, 'of first and last', { shape: [4, 6, 5] }, [0, 2], true),
    reduceCase(kind, 'of no dimension', { shape: [4, 3] }, []),
    reduceCase(kind, 'to no element', { shape: [0, 3] }, [1]),
  ]),
  reduceCase('sum', 'of nothing', { shape: [0, 3] }, [0]),
  reduceCase('sum', 'over several pieces', { shape: [2, 70_001] }, [1]),
  { ...reduceCase('max', 'with ties', { shape: [6, 8], values: twos }, [1]), centralDifferences: false },
  { ...reduceCase('sum', 'bench columns (4096,512)', { shape: [4096, 512] }, [0]), flops: 1 << 21, bytes: 4 << 21 },
  { ...reduceCase('mean', 'bench rows (4096,512)', { shape: [4096, 512] }, [1]), flops: 1 << 21, bytes: 4 << 21 },
]
