import { functions } from './activation.ts'
import { fromFn, type NdArray, type Round, zeros } from './array.ts'
import { type DropoutAt, dropoutFactors } from './philox.ts'

export interface GemmSettings {
  readonly alpha?: number
  readonly beta?: number
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  readonly act?: 'none' | 'relu' | 'geluErf' | 'geluTanh' | 'silu'
  readonly dropout?: DropoutAt
}

export type GemmValues = Readonly<Record<string, NdArray | undefined>>

/** Sizes, and where elements of the operands are: (matrix of the batch, row, column) to flat index. */
function layout(a: NdArray, b: NdArray, { transposeA, transposeB }: GemmSettings) {
  const [rowsA, columnsA] = a.shape.slice(-2) as [number, number]
  const [rowsB, columnsB] = b.shape.slice(-2) as [number, number]
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA]
  const n = transposeB ? rowsB : columnsB
  const leading = a.shape.slice(0, -2)
  const batch = leading.reduce((product, size) => product * size, 1)
  const atA = (l: number, i: number, p: number) => l * m * k + (transposeA ? p * m + i : i * k + p)
  const atB = (l: number, p: number, j: number) =>
    (b.shape.length > 2 ? l * k * n : 0) + (transposeB ? j * k + p : p * n + j)
  return { m, n, k, batch, shape: [...leading, m, n], atA, atB }
}

/** z = α·AB + β·C + bias. */
function preActivation(v: GemmValues, settings: GemmSettings, r: Round): NdArray {
  const { alpha = 1, beta = 1 } = settings
  const a = v.a!
  const b = v.b!
  const { m, n, k, batch, shape, atA, atB } = layout(a, b, settings)
  const z = zeros(shape)
  for (let l = 0; l < batch; l++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let p = 0; p < k; p++) sum = r(sum + r(a.data[atA(l, i, p)]! * b.data[atB(l, p, j)]!))
        const at = (l * m + i) * n + j
        sum = r(alpha * sum)
        if (v.c && beta !== 0) sum = r(sum + r(beta * v.c.data[at]!))
        if (v.bias) sum = r(sum + v.bias.data[j]!)
        z.data[at] = sum
      }
    }
  }
  return z
}

const activation = ({ act = 'none' }: GemmSettings) =>
  act === 'none' ? { f: (z: number) => z, d: () => 1 } : functions[act]

const factorsOf = (shape: readonly number[], { dropout }: GemmSettings) =>
  dropout ? dropoutFactors(shape, dropout) : fromFn(shape, () => 1)

/** y = dropout(act(z) ⊙ gate) + residual. */
export function gemm(v: GemmValues, settings: GemmSettings, r: Round): NdArray {
  const z = preActivation(v, settings, r)
  const factors = factorsOf(z.shape, settings)
  const { f } = activation(settings)
  return fromFn(z.shape, (i) => {
    let y = f(z.data[i]!, r)
    if (v.gate) y = r(y * v.gate.data[i]!)
    y = factors.data[i] === 0 ? 0 : r(y * r(factors.data[i]!))
    return v.residual ? r(y + v.residual.data[i]!) : y
  })
}

/** The chain rule, factor by factor; dA = α·dz·Bᵀ, dB = α·Aᵀ·dz, dC = β·dz, dBias = column sums of dz. */
export function gemmGradient(v: GemmValues, settings: GemmSettings, dY: NdArray, r: Round): Record<string, NdArray> {
  const { alpha = 1, beta = 1 } = settings
  const a = v.a!
  const b = v.b!
  const { m, n, k, batch, shape, atA, atB } = layout(a, b, settings)
  const z = preActivation(v, settings, r)
  const factors = factorsOf(shape, settings)
  const { f, d } = activation(settings)
  const dDropped = fromFn(shape, (i) => (factors.data[i] === 0 ? 0 : r(dY.data[i]! * r(factors.data[i]!))))
  const dGate = fromFn(shape, (i) => r(dDropped.data[i]! * f(z.data[i]!, r)))
  const dZ = fromFn(shape, (i) => {
    const dAct = v.gate ? r(dDropped.data[i]! * v.gate.data[i]!) : dDropped.data[i]!
    return r(dAct * d(z.data[i]!, r))
  })
  const dA = zeros(a.shape)
  const dB = zeros(b.shape)
  const dBias = zeros([n])
  for (let l = 0; l < batch; l++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const g = dZ.data[(l * m + i) * n + j]!
        dBias.data[j] = r(dBias.data[j]! + g)
        for (let p = 0; p < k; p++) {
          const ia = atA(l, i, p)
          const ib = atB(l, p, j)
          dA.data[ia] = r(dA.data[ia]! + r(r(alpha * g) * b.data[ib]!))
          dB.data[ib] = r(dB.data[ib]! + r(r(alpha * g) * a.data[ia]!))
        }
      }
    }
  }
  const dC = fromFn(shape, (i) => r(beta * dZ.data[i]!))
  const all = { a: dA, b: dB, c: dC, bias: dBias, gate: dGate, residual: dY }
  return Object.fromEntries(Object.entries(all).filter(([name]) => v[name]))
}
