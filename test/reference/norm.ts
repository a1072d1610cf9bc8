import { fromFn, type NdArray, type Round, zeros } from './array.ts'

/** h = residual + x, x having its dropout behind it. */
export function sum(x: NdArray, residual: NdArray | undefined, r: Round): NdArray {
  return residual ? fromFn(x.shape, (i) => r(x.data[i]! + residual.data[i]!)) : x
}

interface Row {
  mean: number
  rstd: number
}

function statsOf(h: NdArray, row: number, centered: boolean, eps: number, r: Round): Row {
  const D = h.shape.at(-1)!
  const at = (c: number) => h.data[row * D + c]!
  let mean = 0
  for (let c = 0; centered && c < D; c++) mean = r(mean + at(c))
  mean = r(mean / D)
  let squares = 0
  for (let c = 0; c < D; c++) squares = r(squares + r(r(at(c) - mean) ** 2))
  return { mean, rstd: r(1 / r(Math.sqrt(r(r(squares / D) + r(eps))))) }
}

/** y = weight · (h − mean) · rstd + bias; without a bias mean is 0, as RMSNorm has it. */
export function norm(h: NdArray, weight: NdArray, bias: NdArray | undefined, eps: number, r: Round): NdArray {
  const D = weight.data.length
  const y = zeros(h.shape)
  for (let row = 0; row < h.data.length / D; row++) {
    const { mean, rstd } = statsOf(h, row, bias !== undefined, eps, r)
    for (let c = 0; c < D; c++) {
      const xHat = r(r(h.data[row * D + c]! - mean) * rstd)
      y.data[row * D + c] = r(r(xHat * weight.data[c]!) + (bias?.data[c] ?? 0))
    }
  }
  return y
}

export interface NormGradient {
  dH: NdArray
  dWeight: NdArray
  dBias: NdArray
}

/** dH = rstd · (g − mean(g) − x̂ · mean(g · x̂)) with g = weight · dY; mean(g) for the centered form alone. */
export function normGradient(
  h: NdArray,
  weight: NdArray,
  centered: boolean,
  eps: number,
  dY: NdArray,
  r: Round,
): NormGradient {
  const D = weight.data.length
  const [dH, dWeight, dBias] = [zeros(h.shape), zeros([D]), zeros([D])]
  for (let row = 0; row < h.data.length / D; row++) {
    const { mean, rstd } = statsOf(h, row, centered, eps, r)
    const xHat = Float64Array.from({ length: D }, (_, c) => r(r(h.data[row * D + c]! - mean) * rstd))
    const g = Float64Array.from({ length: D }, (_, c) => r(dY.data[row * D + c]! * weight.data[c]!))
    let along = 0
    let shift = 0
    for (let c = 0; c < D; c++) {
      along = r(along + r(g[c]! * xHat[c]!))
      if (centered) shift = r(shift + g[c]!)
    }
    for (let c = 0; c < D; c++) {
      dH.data[row * D + c] = r(rstd * r(r(g[c]! - r(shift / D)) - r(xHat[c]! * r(along / D))))
      dWeight.data[c] = r(dWeight.data[c]! + r(dY.data[row * D + c]! * xHat[c]!))
      dBias.data[c] = r(dBias.data[c]! + dY.data[row * D + c]!)
    }
  }
  return { dH, dWeight, dBias }
}
