import { ops } from '../../lib/index.ts'
import { type DropoutAt, dropout } from '../reference/philox.ts'
import type { Case, Input } from './case.ts'

function dropoutCase(name: string, x: Input, at: DropoutAt): Case {
  return {
    name: `dropout ${name}`,
    covers: ['dropout'],
    inputs: { x },
    run: (t) => ops.dropout(t.x!, at),
    reference: (v, r) => [dropout(v.x!, at, r)],
    gradient: (_, [dY], r) => ({ x: dropout(dY!, at, r) }),
  }
}

const at = { dropoutP: 0.1, seed: 1234567890123, site: 7, step: 100_000 }

export const dropoutCases: Case[] = [
  dropoutCase('(5,100)', { shape: [5, 100] }, at),
  dropoutCase('(2,3,63) strided', { shape: [2, 3, 63], strided: 'rows' }, { ...at, dropoutP: 0.5 }),
  dropoutCase('scalar', { shape: [] }, { ...at, dropoutP: 0.3 }),
  dropoutCase('empty', { shape: [3, 0] }, at),
  dropoutCase('everything', { shape: [4, 9] }, { ...at, dropoutP: 1 }),
  dropoutCase('nothing', { shape: [4, 9] }, { ...at, dropoutP: 0 }),
  dropoutCase(
    'highest words',
    { shape: [70] },
    { dropoutP: 0.25, seed: 2 ** 53 - 1, site: 2 ** 32 - 1, step: 2 ** 32 - 1 },
  ),
  { ...dropoutCase('bench (4096,512)', { shape: [4096, 512] }, at), flops: 1 << 21, bytes: 8 << 21 },
]
