import { fromFn, type NdArray, type Round } from './array.ts'

/** Error function: its Taylor series where that converges without cancellation, beyond it Lentz's continued fraction of erfc. */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (a > 6) return Math.sign(x)
  if (a < 2.5) {
    let term = x
    let sum = x
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  // erfc(a) = e^−a²/√π · 1/(a + (1/2)/(a + 1/(a + (3/2)/(a + …))))
  let fraction = a
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction)
}

const normalCdf = (x: number, r: Round) => r(0.5 * r(1 + r(erf(r(x * Math.SQRT1_2)))))
const normalDensity = (x: number, r: Round) => r(r(Math.exp(r(-0.5 * r(x * x)))) * r(1 / Math.sqrt(2 * Math.PI)))
const geluInner = (x: number, r: Round) => r(r(Math.sqrt(2 / Math.PI)) * r(x + r(r(0.044715) * r(x * r(x * x)))))
const sigmoid = (x: number, r: Round) => r(1 / r(1 + r(Math.exp(-x))))

/** Each function and its derivative, from the definition. */
export const functions = {
  neg: { f: (x: number) => -x, d: () => -1 },
  abs: { f: (x: number) => Math.abs(x), d: (x: number) => Math.sign(x) },
  square: { f: (x: number, r: Round) => r(x * x), d: (x: number, r: Round) => r(2 * x) },
  sqrt: { f: (x: number, r: Round) => r(Math.sqrt(x)), d: (x: number, r: Round) => r(0.5 / r(Math.sqrt(x))) },
  rsqrt: {
    f: (x: number, r: Round) => r(1 / r(Math.sqrt(x))),
    d: (x: number, r: Round) => r(-0.5 / r(x * r(Math.sqrt(x)))),
  },
  exp: { f: (x: number, r: Round) => r(Math.exp(x)), d: (x: number, r: Round) => r(Math.exp(x)) },
  log: { f: (x: number, r: Round) => r(Math.log(x)), d: (x: number, r: Round) => r(1 / x) },
  tanh: {
    f: (x: number, r: Round) => r(Math.tanh(x)),
    d: (x: number, r: Round) => r(1 - r(r(Math.tanh(x)) ** 2)),
  },
  sigmoid: {
    f: sigmoid,
    d: (x: number, r: Round) => r(sigmoid(x, r) * r(1 - sigmoid(x, r))),
  },
  relu: { f: (x: number) => Math.max(x, 0), d: (x: number) => (x > 0 ? 1 : 0) },
  geluErf: {
    f: (x: number, r: Round) => r(x * normalCdf(x, r)),
    d: (x: number, r: Round) => r(normalCdf(x, r) + r(x * normalDensity(x, r))),
  },
  geluTanh: {
    f: (x: number, r: Round) => r(r(0.5 * x) * r(1 + r(Math.tanh(geluInner(x, r))))),
    d: (x: number, r: Round) => {
      const t = r(Math.tanh(geluInner(x, r)))
      const slope = r(r(Math.sqrt(2 / Math.PI)) * r(1 + r(r(3 * 0.044715) * r(x * x))))
      return r(r(0.5 * r(1 + t)) + r(r(r(0.5 * x) * r(1 - r(t * t))) * slope))
    },
  },
  silu: {
    f: (x: number, r: Round) => r(x * sigmoid(x, r)),
    d: (x: number, r: Round) => {
      const s = sigmoid(x, r)
      return r(s * r(1 + r(x * r(1 - s))))
    },
  },
} as const satisfies Record<string, { f: (x: number, r: Round) => number; d: (x: number, r: Round) => number }>

export type FunctionName = keyof typeof functions

export function unary(name: FunctionName, x: NdArray, r: Round): NdArray {
  return fromFn(x.shape, (i) => functions[name].f(x.data[i]!, r))
}

export function unaryGradient(name: FunctionName, x: NdArray, dY: NdArray, r: Round): NdArray {
  return fromFn(x.shape, (i) => r(dY.data[i]! * functions[name].d(x.data[i]!, r)))
}

/** act(gate) · linear. */
export function gated(name: FunctionName, gate: NdArray, linear: NdArray, r: Round): NdArray {
  return fromFn(gate.shape, (i) => r(functions[name].f(gate.data[i]!, r) * linear.data[i]!))
}

export function gatedGradient(
  name: FunctionName,
  gate: NdArray,
  linear: NdArray,
  dY: NdArray,
  r: Round,
): [NdArray, NdArray] {
  const { f, d } = functions[name]
  return [
    fromFn(gate.shape, (i) => r(r(dY.data[i]! * linear.data[i]!) * d(gate.data[i]!, r))),
    fromFn(gate.shape, (i) => r(dY.data[i]! * f(gate.data[i]!, r))),
  ]
}
