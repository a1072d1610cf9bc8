// Runs cases: makes their inputs, compares with the float64 reference, derives tolerances.
import { device, differentiable, Tensor } from '../lib/index.ts'
import { denseStrides } from '../lib/tensor.ts'
import type { Case, Input, Random } from './cases/case.ts'
import { count, exact, float32, fromFn, type NdArray } from './reference/array.ts'

/** Memory of the CPU, as tests compare it. */
export function memoryInUse(): { tensors: number; live: number } {
  const { tensors, live } = device().memory()
  return { tensors, live }
}

export type FloatDType = 'float32' | 'float16' | 'bfloat16'

/** Unit roundoff spacing at 1. The one tolerance table. */
const epsilon: Record<FloatDType, number> = {
  float32: 2 ** -23,
  float16: 2 ** -10,
  bfloat16: 2 ** -7,
}

/** A reproducible generator (mulberry32) with a hand-made Gaussian, so that numbers agree on every platform. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  return { uniform, normal, integer: (below) => Math.floor(uniform() * below) }
}

/** The seed of a case: its name, so that a failure replays. */
export function seedOf(name: string): number {
  let hash = 2166136261
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619)
  return hash >>> 0
}

const word = new Float32Array(1)
const bits = new Uint32Array(word.buffer)

/** Rounds to a storage format, to nearest even. */
export function roundTo(dtype: FloatDType, x: number): number {
  if (dtype === 'float32' || !Number.isFinite(x)) return Math.fround(x)
  if (dtype === 'bfloat16') {
    word[0] = x
    const u = bits[0] as number
    bits[0] = ((u + 0x7fff + ((u >>> 16) & 1)) >>> 16) << 16
    return word[0] as number
  }
  const magnitude = Math.abs(Math.fround(x))
  if (magnitude >= 65520) return Math.sign(x) * Infinity
  const unit = 2 ** (Math.max(Math.floor(Math.log2(magnitude || 1e-30)), -14) - 10)
  const scaled = magnitude / unit
  const floor = Math.floor(scaled)
  const up = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 === 1)
  return Math.sign(x) * (up ? floor + 1 : floor) * unit
}

export interface Prepared {
  readonly values: Record<string, NdArray>
  readonly tensors: Record<string, Tensor>
  /** Where gradients arrive, by input name. */
  readonly leaves: Record<string, Tensor>
}

export function prepare(test: Case, dtype: FloatDType = 'float32', withGradient = true): Prepared {
  const random = randomOf(seedOf(test.name))
  const prepared: Prepared = { values: {}, tensors: {}, leaves: {} }
  for (const [name, input] of Object.entries(test.inputs)) {
    const isFloat = (input.dtype ?? 'float32') === 'float32'
    const raw = input.values ?? ((_: number, source: Random) => source.normal() * (input.scale ?? 1))
    const values = fromFn(input.shape, (i) => {
      const value = raw(i, random)
      return isFloat ? roundTo(dtype, value) : value
    })
    prepared.values[name] = values
    const gradient = withGradient && isFloat && input.gradient !== false
    const tensor = tensorOf(input, values, isFloat ? dtype : (input.dtype as 'int32' | 'uint8'), gradient)
    prepared.tensors[name] = tensor
    if (gradient) prepared.leaves[name] = tensor
  }
  return prepared
}

function tensorOf(input: Input, values: NdArray, dtype: FloatDType | 'int32' | 'uint8', requiresGrad: boolean): Tensor {
  const shape = input.shape
  if (input.host) return Tensor.fromWithHostCopy(Int32Array.from(values.data))
  if (!input.strided || shape.length === 0) return Tensor.from(values.data, { shape, dtype, requiresGrad })
  // Embedded with an offset in a larger array: every row has a gap after it, and with `true` every element has, too.
  const step = input.strided === 'rows' ? 1 : 2
  const columns = (shape.at(-1) as number) * step + 3
  const larger = [...shape.slice(0, -1), columns]
  const padded = new Float64Array(count(larger) + 1).fill(dtype === 'uint8' ? 1 : -77)
  values.data.forEach((value, i) => {
    const column = shape.at(-1) as number
    padded[1 + Math.floor(i / column) * columns + (i % column) * step] = value
  })
  const strides = denseStrides(larger)
  strides[strides.length - 1] = step
  return Tensor.from(padded, { dtype }).view(shape, strides, 1, requiresGrad)
}

export function cotangents(test: Case, outputs: readonly { shape: readonly number[] }[]): NdArray[] {
  const random = randomOf(seedOf(`${test.name} cotangent`))
  return outputs.map((output) => fromFn(output.shape, () => Math.fround(random.normal())))
}

function maxAbs(data: ArrayLike<number>): number {
  let max = 0
  for (let i = 0; i < data.length; i++) {
    const x = Math.abs(data[i] as number)
    if (Number.isFinite(x) && x > max) max = x
  }
  return max
}

/** Largest difference; values that are not finite must be the same. */
export function maxError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity
  let error = 0
  for (let i = 0; i < got.length; i++) {
    const g = got[i] as number
    const w = want[i] as number
    if (Object.is(g, w) || g === w) continue
    const difference = Math.abs(g - w)
    if (Number.isNaN(difference)) return Infinity
    error = Math.max(error, difference)
  }
  return error
}

export interface Comparison {
  readonly what: string
  readonly error: number
  readonly tolerance: number
}

/** DESIGN §9: twice the error of a plain computation in the same dtype plus 4·eps·max|ref|, both against float64. */
export function compare(
  what: string,
  got: ArrayLike<number>,
  truth: NdArray,
  plain: NdArray,
  dtype: FloatDType,
  factor = 1,
): Comparison {
  const rounded = Float64Array.from(plain.data, (x) => roundTo(dtype, x))
  // Infinite in float32 (overflow) is right where the plain computation says so, too.
  const want = truth.data.map((x, i) => (Number.isFinite(rounded[i] as number) ? x : (rounded[i] as number)))
  const tolerance = factor * (2 * maxError(rounded, want) + 4 * epsilon[dtype] * maxAbs(want))
  return { what, error: maxError(got, want), tolerance }
}

export async function checkForward(test: Case, dtype: FloatDType): Promise<Comparison[]> {
  const { values, tensors } = prepare(test, dtype, false)
  const result = test.run(tensors)
  const outputs = result instanceof Tensor ? [result] : result
  const truth = test.reference(values, exact)
  const plain = test.reference(values, float32)
  return Promise.all(
    truth.map(async (want, i) => {
      const output = outputs[i] as Tensor
      if (output.shape.join() !== want.shape.join()) {
        throw new Error(`${test.name}: expected output ${i} (${want.shape}), got (${output.shape})`)
      }
      const stored = dtype !== 'float32' && output.dtype === dtype ? dtype : 'float32'
      return compare(`output ${i}`, await output.data(), want, plain[i] as NdArray, stored, test.tolerance?.factor)
    }),
  )
}

/** A scalar whose backward hands each output its cotangent, so that outputs of one op are met together. */
const joined = differentiable('joined', {
  forward(ctx, _outputs: readonly Tensor[], weights: readonly Tensor[]) {
    ctx.remember({ weights })
    return Tensor.zeros([])
  },
  backward: (ctx) => [ctx.remembered.weights as Tensor[], null],
})

/** Runs the tape backwards from the case's outputs under its random cotangents, which it returns. */
export function backwardOf(test: Case, outputs: readonly Tensor[], dtype: FloatDType = 'float32'): NdArray[] {
  const weights = cotangents(test, outputs).map((w) => ({ ...w, data: w.data.map((x) => roundTo(dtype, x)) }))
  joined(
    outputs,
    weights.map((w) => Tensor.from(w.data, { shape: w.shape, dtype: 'float32' })),
  ).backward()
  return weights
}

export async function checkBackward(test: Case, dtype: FloatDType = 'float32'): Promise<Comparison[]> {
  const { values, tensors, leaves } = prepare(test, dtype)
  const result = test.run(tensors)
  const outputs = (result instanceof Tensor ? [result] : result) as Tensor[]
  const weights = backwardOf(test, outputs, dtype)
  const gradient = test.gradient as NonNullable<Case['gradient']>
  const truth = gradient(values, weights, exact)
  const plain = gradient(values, weights, float32)
  return Promise.all(
    Object.entries(leaves).map(async ([name, leaf]) => {
      const want = truth[name]
      if (!want) throw new Error(`${test.name}: expected a reference gradient of ${name}, got none`)
      const got = leaf.grad ? await leaf.grad.data() : new Float32Array(leaf.size)
      return compare(`d${name}`, got, want, plain[name] as NdArray, dtype, test.tolerance?.factor)
    }),
  )
}

/** The reference's own backward against central differences of its forward, in float64, along one random direction. */
export function checkReference(test: Case): { what: string; error: number }[] {
  const { values } = prepare(test, 'float32', false)
  const weights = cotangents(test, test.reference(values, exact))
  const gradient = (test.gradient as NonNullable<Case['gradient']>)(values, weights, exact)
  const random = randomOf(seedOf(`${test.name} direction`))
  const dot = (a: NdArray, b: NdArray) => a.data.reduce((sum, x, i) => sum + x * (b.data[i] as number), 0)
  const objective = (at: Record<string, NdArray>) =>
    test.reference(at, exact).reduce((sum, y, i) => sum + dot(y, weights[i] as NdArray), 0)
  return Object.entries(gradient).map(([name, d]) => {
    const x = values[name] as NdArray
    const direction = fromFn(x.shape, () => random.normal())
    const h = 1e-5 * Math.max(maxAbs(x.data), 1e-3)
    const shifted = (by: number) => ({
      ...values,
      [name]: {
        shape: x.shape,
        data: x.data.map((v, i) => v + by * (direction.data[i] as number)),
      },
    })
    const numeric = (objective(shifted(h)) - objective(shifted(-h))) / (2 * h)
    const analytic = dot(d, direction)
    const size = Math.sqrt(dot(d, d) * dot(direction, direction)) || 1
    return { what: `d${name}`, error: Math.abs(numeric - analytic) / size }
  })
}
