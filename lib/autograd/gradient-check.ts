import { Tensor } from '../tensor.ts'

export interface GradientCheckOptions {
  /** Step of the central difference, relative to max(1, |x|). @default 1e-2 */
  step?: number
  /** Seed of the random cotangent. @default 1 */
  seed?: number
}

/**
 * Compares the tape's gradients of a function with central differences, under a random cotangent (ones would hide errors:
 * the gradients of softmax and of plain norms cancel under them). Everything runs in float32, so expect agreement to about
 * the square root of its precision; the op suite holds the exact comparison, against float64.
 *
 * @param fn differentiable, from leaves to one tensor.
 * @param inputs float32 leaves with `requiresGrad`.
 * @returns for each input the largest difference relative to the largest gradient of that input.
 */
export async function gradientCheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  { step = 1e-2, seed = 1 }: GradientCheckOptions = {},
): Promise<number[]> {
  const result = fn(...inputs)
  const weights = cotangent(result.size, seed)
  for (const input of inputs) input.grad = null
  result.backward(Tensor.from(weights, { shape: result.shape }))
  const value = async (values: readonly Float32Array[]) => {
    const leaves = values.map((data, i) => Tensor.from(data, { shape: (inputs[i] as Tensor).shape }))
    const y = (await fn(...leaves).data()) as Float32Array
    return y.reduce((sum, v, i) => sum + v * (weights[i] as number), 0)
  }
  const points = (await Promise.all(inputs.map((input) => input.data()))) as Float32Array[]
  const errors: number[] = []
  for (const [k, input] of inputs.entries()) {
    const gradient = input.grad ? ((await (input.grad as Tensor).data()) as Float32Array) : new Float32Array(input.size)
    let error = 0
    for (let i = 0; i < input.size; i++) {
      const at = (points[k] as Float32Array)[i] as number
      const h = step * Math.max(1, Math.abs(at))
      const shifted = (to: number) => value(points.map((data, j) => (j === k ? data.with(i, to) : data)))
      const difference =
        ((await shifted(at + h)) - (await shifted(at - h))) / (Math.fround(at + h) - Math.fround(at - h))
      error = Math.max(error, Math.abs(difference - (gradient[i] as number)))
    }
    errors.push(error / Math.max(...gradient.map(Math.abs), 1e-6))
  }
  return errors
}

// A small multiplicative generator: reproducible, and good enough for a cotangent.
function cotangent(size: number, seed: number): Float32Array {
  let state = seed * 2654435761
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}
