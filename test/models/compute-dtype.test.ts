// Models that compute in 16 bits over float32 parameters.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError, device, noGrad, T5ForConditionalGeneration } from '../../lib/index.ts'
import { assign } from '../../lib/optim/assign.ts'
import { Tensor } from '../../lib/tensor.ts'
import { batchOf, config } from '../train/tiny.ts'

let tensors = 0
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

/** Loss and gradients of a pass without dropout. */
async function passOf(model: T5ForConditionalGeneration) {
  model.eval()
  using loss = model.forward(batchOf(0)).loss as Tensor
  loss.backward()
  const gradients = new Map<string, ArrayLike<number>>()
  for (const [name, parameter] of model.namedParameters()) {
    expect(parameter.grad?.dtype, name).toBe('float32')
    gradients.set(name, (await parameter.grad?.data()) as Float32Array)
    parameter.grad?.dispose()
    parameter.grad = null
  }
  return { loss: await loss.item(), gradients }
}

/** |a − b| / |b|, both as vectors. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const norm = (at: (i: number) => number) => Math.hypot(...Array.from(b, (_, i) => at(i)))
  return norm((i) => (a[i] as number) - (b[i] as number)) / norm((i) => b[i] as number)
}

describe.each([
  ['bfloat16', 2 ** -8],
  ['float16', 2 ** -11],
] as const)('in %s', (dtype, epsilon) => {
  test('gradients are float32 and near those of float32', async () => {
    using model = new T5ForConditionalGeneration(config, { seed: 5 })
    const exact = await passOf(model)
    model.computeDtype = dtype
    const { loss, gradients } = await passOf(model)
    expect(loss).not.toBe(exact.loss)
    expect(Math.abs(loss - exact.loss)).toBeLessThan(4 * epsilon * exact.loss)
    // A value passes some ten roundings in a row in either direction, of which each is half a unit at most.
    for (const [name, gradient] of gradients) {
      expect(distance(gradient, exact.gradients.get(name) as ArrayLike<number>), name).toBeLessThan(20 * epsilon)
    }
  })

  test('blocks that are computed again give the same bits, and so does a pass without a tape', async () => {
    using model = new T5ForConditionalGeneration(config, { seed: 5 }).eval()
    model.computeDtype = dtype
    const plain = await passOf(model)
    model.gradientCheckpointing = true
    expect(await passOf(model)).toEqual(plain)
    using loss = noGrad(() => model.forward(batchOf(0)).loss as Tensor)
    expect(await loss.item()).toBe(plain.loss)
  })

  test('an update of the parameters is seen', async () => {
    using model = new T5ForConditionalGeneration(config, { seed: 5 }).eval()
    using other = new T5ForConditionalGeneration(config, { seed: 6 }).eval()
    model.computeDtype = dtype
    other.computeDtype = dtype
    const [before, wanted] = [await passOf(model), await passOf(other)]
    const source = other.namedParameters()
    for (const [name, parameter] of model.namedParameters()) {
      using values = (source.get(name) as Tensor).detach()
      assign(parameter, values)
    }
    const after = await passOf(model)
    expect(after).toEqual(wanted)
    expect(after).not.toEqual(before)
  })
})

test('in float16, output projections of feed-forward layers do not overflow', async () => {
  using model = new T5ForConditionalGeneration(config, { seed: 5 }).eval()
  for (const [name, parameter] of model.namedParameters()) {
    if (!name.endsWith('.wo.weight')) continue
    // Weights that float16 holds, of one sign as hidden values after relu are: their products are beyond 65,504.
    using large = Tensor.full(parameter.shape, 6e4)
    assign(parameter, large)
  }
  const hidden = async () => {
    const output = noGrad(() => model.forward({ ...batchOf(0), outputHiddenStates: true }))
    const states = output.decoderHiddenStates as readonly Tensor[]
    const values = await Promise.all(states.map((state) => state.data()))
    const loss = await (output.loss as Tensor).item()
    for (const value of Object.values(output).flat()) if (value instanceof Tensor) value.dispose()
    return { loss, largest: Math.max(...values.flatMap((value) => Array.from(value, Math.abs))) }
  }
  const exact = await hidden()
  expect(exact.largest).toBeGreaterThan(65_504)
  model.computeDtype = 'float16'
  const { loss, largest } = await hidden()
  expect(Number.isFinite(loss)).toBe(true)
  expect(Math.abs(largest - exact.largest) / exact.largest).toBeLessThan(20 * 2 ** -11)
})

test('other dtypes are refused', () => {
  using model = new T5ForConditionalGeneration(config, { seed: 5 })
  expect(() => {
    model.computeDtype = 'float64' as 'float32'
  }).toThrow(ConfigError)
})
