// Optimisers on a device, beside the CPU: many tensors in one call, 16-bit shadows, steps that are left out, and the same
// bits from run to run.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { optim, runtimeInfo, setDefaultDevice, Tensor, type TypedArray } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { randomOf, roundTo } from '../harness.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: optimisers on a GPU (${problem})`)

const optimizers: Record<string, (params: Tensor[], options?: optim.OptimizerOptions) => optim.Optimizer> = {
  SGD: (params, options) => new optim.SGD(params, { momentum: 0.9, ...options }),
  Adagrad: (params, options) => new optim.Adagrad(params, options),
  AdamW: (params, options) => new optim.AdamW(params, { rmsScale: true, ...options }),
  Adafactor: (params, options) => new optim.Adafactor(params, { beta1: 0.9, ...options }),
}
const shapes = [[], [5], [9, 13], [130, 129], [4097], [3, 2, 70]]
// A sum of 4,097 squares, a root, a quotient: a few roundings each.
const tolerance = 2e-6

function randomValues(seed: number, count: number, scale = 1): Float32Array {
  const random = randomOf(seed)
  return Float32Array.from({ length: count }, () => scale * random.normal())
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1)

function group(device: 'cpu' | 'cuda', of: readonly number[][] = shapes): Tensor[] {
  return of.map((shape, i) => {
    const leaf = Tensor.from(randomValues(i, sizeOf(shape)), { shape, dtype: 'float32', requiresGrad: true, device })
    leaf.grad = Tensor.from(randomValues(1000 + i, sizeOf(shape), 0.1), { shape, dtype: 'float32', device })
    return leaf
  })
}

const contents = (optimizer: optim.Optimizer): Promise<TypedArray[]> =>
  Promise.all([...optimizer.params, ...Object.values(optimizer.state)].map((tensor) => tensor.data()))

async function stepped(optimizer: optim.Optimizer, steps: number): Promise<TypedArray[]> {
  for (let i = 0; i < steps; i++) optimizer.step({ lr: 0.01 })
  return contents(optimizer)
}

function expectClose(got: readonly TypedArray[], expected: readonly TypedArray[]): void {
  expect(got.length).toBe(expected.length)
  expected.forEach((values, t) => {
    values.forEach((value, i) => {
      expect(Math.abs((got[t]?.[i] as number) - value)).toBeLessThanOrEqual(tolerance * (1 + Math.abs(value)))
    })
  })
}

describe.skipIf(devices.length === 0)('on a GPU', () => {
  beforeAll(() => setDefaultDevice('cuda'))
  afterAll(() => setDefaultDevice('cpu'))

  describe.each(Object.entries(optimizers))('%s', (_, make) => {
    test('steps as on the CPU, with the same bits each time', async () => {
      const got = await stepped(make(group('cuda')), 3)
      expect(await stepped(make(group('cuda')), 3)).toEqual(got)
      expectClose(got, await stepped(make(group('cpu')), 3))
    })

    test('takes hundreds of tensors, some of them empty', async () => {
      const many = Array.from({ length: 300 }, (_, i) => [[i % 7], [i % 5, 3], [0]][i % 3] as number[])
      expectClose(await stepped(make(group('cuda', many)), 1), await stepped(make(group('cpu', many)), 1))
    })

    test.each(['float16', 'bfloat16'] as const)('writes %s shadows', async (dtype) => {
      const params = group('cuda')
      const shadows = new Map(params.map((param) => [param, Tensor.zeros(param.shape, { dtype, device: 'cuda' })]))
      await stepped(make(params, { shadows }), 1)
      for (const [param, shadow] of shadows) {
        expect(await shadow.data()).toEqual((await param.data()).map((x) => roundTo(dtype, x)))
      }
    })

    test('leaves everything as it is when the norm is not finite, and counts it', async () => {
      const optimizer = make(group('cuda'))
      const before = await contents(optimizer)
      for (const norm of [Number.NaN, Infinity]) {
        optimizer.step({ lr: 0.01, norm: Tensor.from(norm, { device: 'cuda' }) })
      }
      expect((await contents(optimizer)).slice(0, -1)).toEqual(before.slice(0, -1))
      expect(await optimizer.skipped.item()).toBe(2)
      optimizer.step({ lr: 0.01, norm: Tensor.from(1, { device: 'cuda' }) })
      expect((await contents(optimizer)).slice(0, -1)).toEqual((await stepped(make(group('cuda')), 1)).slice(0, -1))
    })
  })

  test('tensors that begin anywhere', async () => {
    const [base, grad] = [randomValues(1, 1030), randomValues(2, 1030)]
    const step = async (device: 'cpu' | 'cuda') => {
      const part = (values: Float32Array, start: number) =>
        Tensor.from(values, { shape: [1030], device }).view([1025], [1], start)
      const whole = Tensor.from(base, { shape: [1030], device })
      native.sgd([whole.view([1025], [1], 3)], [part(grad, 1)], [], [], null, null, { lr: 0.5, step: 1 })
      return whole.data()
    }
    expect(await step('cuda')).toEqual(await step('cpu'))
  })

  test('a norm that is not finite reaches all gradients; one within the bound changes none', async () => {
    const clipped = async (norm: number) => {
      const grads = [Tensor.from([3, 4]), Tensor.from([0])]
      native.clipByGlobalNorm(grads, Tensor.from(norm), { maxNorm: 1, style: 'torch' })
      return Promise.all(grads.map((g) => g.data()))
    }
    expect(await clipped(Number.NaN)).toEqual([Float32Array.of(Number.NaN, Number.NaN), Float32Array.of(Number.NaN)])
    expect(await clipped(0.5)).toEqual([Float32Array.of(3, 4), Float32Array.of(0)])
    const norm = await native.globalNorm([Tensor.from([3, 4]), Tensor.from([Number.NaN])]).item()
    expect(norm).toBeNaN()
  })
})
