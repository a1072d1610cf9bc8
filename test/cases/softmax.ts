import { ops } from '../../lib/index.ts'
import { softmax, softmaxGradient } from '../reference/softmax.ts'
import type { Case, Input } from './case.ts'

function softmaxCase(log: boolean, title: string, x: Input): Case {
  return {
    name: `${log ? 'logSoftmax' : 'softmax'} ${title}`,
    covers: ['softmax', 'softmaxBwd'],
    inputs: { x },
    run: (t) => (log ? ops.logSoftmax(t.x!) : ops.softmax(t.x!)),
    reference: (v, r) => [softmax(v.x!, log, r)],
    gradient: (v, [dY], r) => ({ x: softmaxGradient(v.x!, log, dY!, r) }),
  }
}

const masked: Input = {
  shape: [3, 9],
  values: (i, random) => (i < 9 || i % 4 === 0 ? -Infinity : random.normal()),
}

export const softmaxCases: Case[] = [
  ...[false, true].flatMap((log) => [
    ...[[1, 1], [7], [3, 7], [2, 3, 257], [5, 33], [0, 4], [40, 1000]].map((shape) =>
      softmaxCase(log, `(${shape})`, { shape }),
    ),
    softmaxCase(log, 'rows', { shape: [2, 3, 19], strided: 'rows' }),
    {
      // Steps in proportion to the values would cross whole units here.
      ...softmaxCase(log, 'near 1e4', { shape: [3, 17], values: (_, random) => 1e4 + random.normal() }),
      sixteenBit: false,
      centralDifferences: false as const,
    },
    { ...softmaxCase(log, 'far apart', { shape: [3, 50], scale: 60 }), sixteenBitGradient: false as const },
    // Infinities have no central difference.
    { ...softmaxCase(log, 'masked', masked), centralDifferences: false as const },
  ]),
  { ...softmaxCase(false, 'bench (2048,512)', { shape: [2048, 512] }), flops: 4 << 20, bytes: 8 << 20 },
]
