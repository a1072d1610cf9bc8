import { fromFn, type NdArray, type Round } from './array.ts'

export type BceReduction = 'mean' | 'sum' | 'none'

function scaleOf(mask: NdArray | null, count: number, reduction: BceReduction, r: Round): number {
  if (reduction !== 'mean') return 1
  const kept = mask ? mask.data.filter((m) => m !== 0).length : count
  return kept === 0 ? 0 : r(1 / kept)
}

/** Σ scale·(max(x, 0) − x·y + log(1 + e^−|x|)) over what the mask keeps. */
export function bce(x: NdArray, y: NdArray, mask: NdArray | null, reduction: BceReduction, r: Round): NdArray {
  const rows = fromFn(x.shape, (i) => {
    if (mask?.data[i] === 0) return 0
    const z = x.data[i]!
    return r(r(Math.max(z, 0) - r(z * y.data[i]!)) + r(Math.log1p(r(Math.exp(-Math.abs(z))))))
  })
  if (reduction === 'none') return rows
  const total = rows.data.reduce((sum, term) => r(sum + term), 0)
  return fromFn([], () => r(total * scaleOf(mask, x.data.length, reduction, r)))
}

/** dx = scale·(1/(1 + e^−x) − y)·dLoss */
export function bceGradient(
  x: NdArray,
  y: NdArray,
  mask: NdArray | null,
  reduction: BceReduction,
  dLoss: NdArray,
  r: Round,
): NdArray {
  const scale = scaleOf(mask, x.data.length, reduction, r)
  return fromFn(x.shape, (i) => {
    if (mask?.data[i] === 0) return 0
    const p = r(1 / r(1 + r(Math.exp(-x.data[i]!))))
    return r(r(r(p - y.data[i]!) * scale) * dLoss.data[reduction === 'none' ? i : 0]!)
  })
}
