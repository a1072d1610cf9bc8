import { describe, expect, test } from 'vitest'
import {
  ConfigError,
  optim,
  ShapeError,
  StateError,
  scope,
  setThreads,
  Tensor,
  type TypedArray,
} from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { randomOf, roundTo } from '../harness.ts'
import { fromFn, type NdArray } from '../reference/array.ts'
import * as reference from '../reference/optimizer.ts'

function randomArray(seed: number, shape: readonly number[], scale = 1): NdArray {
  const random = randomOf(seed)
  return fromFn(shape, () => Math.fround(random.normal() * scale))
}

function leaf(values: NdArray, gradient?: NdArray): Tensor {
  const tensor = Tensor.from(values.data, { shape: values.shape, dtype: 'float32', requiresGrad: true })
  if (gradient) tensor.grad = Tensor.from(gradient.data, { shape: values.shape, dtype: 'float32' })
  return tensor
}

const optimizers: Record<string, (params: Tensor[], options?: optim.OptimizerOptions) => optim.Optimizer> = {
  SGD: (params, options) => new optim.SGD(params, { momentum: 0.9, ...options }),
  Adagrad: (params, options) => new optim.Adagrad(params, options),
  AdamW: (params, options) => new optim.AdamW(params, { rmsScale: true, ...options }),
  Adafactor: (params, options) => new optim.Adafactor(params, { beta1: 0.9, ...options }),
}
const shapes = [[], [5], [9, 13], [130, 129], [17000]]

async function contents(optimizer: optim.Optimizer): Promise<TypedArray[]> {
  return Promise.all([...optimizer.params, ...Object.values(optimizer.state)].map((tensor) => tensor.data()))
}

describe.each(Object.entries(optimizers))('%s', (_, make) => {
  const group = () => shapes.map((shape, i) => leaf(randomArray(i, shape), randomArray(100 + i, shape, 0.1)))

  test('gives the same bits on one thread and on two', async () => {
    const results: TypedArray[][] = []
    for (const threads of [1, 2]) {
      setThreads(threads)
      const optimizer = make(group())
      for (let i = 0; i < 3; i++) optimizer.step({ lr: 0.01 })
      results.push(await contents(optimizer))
    }
    expect(results[1]).toEqual(results[0])
  })

  test.each(['float16', 'bfloat16'] as const)('writes %s shadows of what it updates', async (dtype) => {
    const params = group()
    const shadows = new Map(params.slice(1).map((param) => [param, Tensor.zeros(param.shape, { dtype })]))
    const optimizer = make(params, { shadows })
    const plain = make(group())
    for (const either of [optimizer, plain]) either.step({ lr: 0.01 })
    expect(await contents(optimizer)).toEqual(await contents(plain))
    for (const [param, shadow] of shadows) {
      expect(await shadow.data()).toEqual((await param.data()).map((x) => roundTo(dtype, x)))
    }
  })

  test('leaves everything as it is when the norm is not finite, and counts it', async () => {
    const params = group()
    const optimizer = make(params)
    const reference = make(group())
    const before = await contents(optimizer)
    for (const norm of [Number.NaN, Infinity]) optimizer.step({ lr: 0.01, norm: Tensor.from(norm) })
    const after = await contents(optimizer)
    expect(after.slice(0, -1)).toEqual(before.slice(0, -1))
    expect(await optimizer.skipped.item()).toBe(2)
    // The steps left out do not count: the next is the first.
    optimizer.step({ lr: 0.01, norm: Tensor.from(1) })
    reference.step({ lr: 0.01 })
    expect((await contents(optimizer)).slice(0, -1)).toEqual((await contents(reference)).slice(0, -1))
  })

  test('makes backward through what it updated throw', () => {
    const params = group()
    const optimizer = make(params)
    const versions = params.map((param) => param.contents.version)
    optimizer.step({ lr: 0.01 })
    expect(params.map((param) => param.contents.version)).toEqual(versions.map((version) => version + 1))
  })

  test('resumes from its states with the same bits', async () => {
    const first = make(group())
    for (let i = 0; i < 2; i++) first.step({ lr: 0.01 })
    const params = await Promise.all(
      first.params.map(async (param, i) =>
        leaf(
          { shape: param.shape, data: Float64Array.from(await param.data()) },
          randomArray(100 + i, param.shape, 0.1),
        ),
      ),
    )
    const second = make(params)
    second.steps = first.steps
    for (const [name, tensor] of Object.entries(second.state)) {
      if (tensor.dtype !== 'float32') continue
      native.fill(tensor, { value: 0 })
      native.accumulate(tensor, first.state[name] as Tensor)
    }
    for (const either of [first, second]) either.step({ lr: 0.01 })
    expect(await contents(second)).toEqual(await contents(first))
  })
})

describe('groups', () => {
  test('have their own learning rate and weight decay', async () => {
    const values = randomArray(1, [50])
    const gradient = randomArray(2, [50])
    const a = leaf(values, gradient)
    const b = leaf(values, gradient)
    const optimizer = new optim.SGD(
      [
        { params: [a], lrScale: 0.5 },
        { params: [b], weightDecay: 0 },
      ],
      {
        weightDecay: 0.1,
      },
    )
    optimizer.step({ lr: 0.2 })
    const rule = { momentum: 0, nesterov: false }
    const want = [
      reference.sgd(values, gradient, {}, { ...rule, lr: 0.1, weightDecay: 0.1 }, (x) => x),
      reference.sgd(values, gradient, {}, { ...rule, lr: 0.2, weightDecay: 0 }, (x) => x),
    ]
    for (const [i, param] of [a, b].entries()) {
      const got = await param.data()
      want[i]!.data.forEach((x, j) => {
        expect(got[j]).toBeCloseTo(x, 5)
      })
    }
  })

  test('skip parameters without a gradient, and zeroGrad drops gradients', async () => {
    const a = leaf(randomArray(1, [5]))
    const b = leaf(randomArray(2, [5]), randomArray(3, [5]))
    const optimizer = new optim.AdamW([a, b])
    const before = await a.data()
    optimizer.step({ lr: 0.1 })
    expect(await a.data()).toEqual(before)
    optimizer.zeroGrad()
    expect(b.grad).toBeNull()
    optimizer.step({ lr: 0.1 })
  })

  test('keep their states out of scopes and give them back', async () => {
    const params = [leaf(randomArray(1, [9, 13]), randomArray(2, [9, 13]))]
    const optimizer = scope(() => new optim.Adafactor(params, { beta1: 0.9 }))
    expect(Object.keys(optimizer.state).sort()).toEqual(['columns.0', 'means.0', 'rows.0', 'skipped'])
    scope(() => optimizer.step({ lr: 0.1, norm: optim.clipGradNorm(params, 1) }))
    await Promise.all(Object.values(optimizer.state).map((tensor) => tensor.data()))
    optimizer.dispose()
    expect(Object.values(optimizer.state).every((tensor) => tensor.disposed)).toBe(true)
  })

  test('refuse what is not a parameter', () => {
    const param = leaf(randomArray(1, [5]))
    expect(() => new optim.SGD([Tensor.zeros([2])])).toThrow(ConfigError)
    expect(() => new optim.SGD([Tensor.zeros([2], { dtype: 'bfloat16', requiresGrad: true })])).toThrow(ConfigError)
    expect(() => new optim.SGD([{ params: [param] }, { params: [param] }])).toThrow(/each parameter once/)
    const optimizer = new optim.SGD([leaf(randomArray(1, [5]), randomArray(1, [5]))])
    expect(() => optimizer.step({ lr: -1 })).toThrow(ConfigError)
    expect(() => optimizer.step({ lr: Number.NaN })).toThrow(ConfigError)
  })
})

describe('clipGradNorm', () => {
  test('clips strided gradients, a shared parameter once', async () => {
    const param = Tensor.zeros([2, 3], { requiresGrad: true })
    param.grad = Tensor.from([3, 0, 0, 4, 0, 0]).view([2, 3], [1, 2], 0)
    const norm = optim.clipGradNorm([param, param], 1, { style: 'tf' })
    expect(await norm.item()).toBe(5)
    expect([...(await param.grad.data())].map((x) => Math.fround(x))).toEqual(
      [3 / 5, 0, 0, 0, 4 / 5, 0].map(Math.fround),
    )
  })

  test('without a limit only measures; squares beyond float32 do not overflow', async () => {
    const param = Tensor.zeros([2], { requiresGrad: true })
    param.grad = Tensor.from([3e30, 4e30])
    expect(await optim.clipGradNorm([param], Infinity).item()).toBeCloseTo(5e30, -25)
    expect([...(await param.grad.data())]).toEqual([3e30, 4e30].map(Math.fround))
    expect(await optim.clipGradNorm([], 1).item()).toBe(0)
    expect(() => optim.clipGradNorm([param], -1)).toThrow(ConfigError)
    expect(() => optim.clipGradNorm([param], Number.NaN)).toThrow(ConfigError)
  })

  test('a NaN in one gradient reaches the norm', async () => {
    const params = [
      leaf(randomArray(1, [5]), randomArray(1, [5])),
      leaf(
        randomArray(1, [1]),
        fromFn([1], () => Number.NaN),
      ),
    ]
    const optimizer = new optim.AdamW(params)
    const before = await contents(optimizer)
    const norm = optim.clipGradNorm(params, 1)
    optimizer.step({ lr: 0.1, norm })
    expect(await norm.item()).toBeNaN()
    expect((await contents(optimizer)).slice(0, -1)).toEqual(before.slice(0, -1))
  })
})

describe('the ops refuse', () => {
  const one = () => [Tensor.zeros([4, 3])]
  const attrs = { lr: 0.1, step: 1 }

  test('lists of other lengths and other shapes', () => {
    expect(() => native.adagrad(one(), [], one(), [], null, null, attrs)).toThrow(
      new ShapeError('adagrad: expected 1 grads, got 0'),
    )
    expect(() => native.adagrad(one(), one(), [Tensor.zeros([3, 4])], [], null, null, attrs)).toThrow(
      new ShapeError('adagrad: expected sums[0] (4, 3), got (3, 4)'),
    )
    expect(() => native.sgd(one(), one(), [], [], null, null, { ...attrs, momentum: 0.9 })).toThrow(ShapeError)
    const square = one()
    expect(() => native.adafactor(one(), one(), [], [], square, [], [], null, null, attrs)).toThrow(
      new ShapeError('adafactor: expected 1 rows, got 0'),
    )
  })

  test('parameters that are strided views', () => {
    const strided = [Tensor.zeros([3, 4]).view([4, 3], [1, 4], 0)]
    expect(() => native.sgd(strided, one(), [], [], null, null, attrs)).toThrow(
      new ShapeError('sgd: expected params[0] to be contiguous, got a strided view'),
    )
  })

  test('shadows that are not 16-bit floats, and disposed tensors', () => {
    expect(() => native.sgd(one(), one(), [], one(), null, null, attrs)).toThrow(/shadows of float16 or bfloat16/)
    const gone = one()
    gone[0]!.dispose()
    expect(() => native.sgd(gone, one(), [], [], null, null, attrs)).toThrow(StateError)
  })
})
