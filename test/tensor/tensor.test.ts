import { describe, expect, test } from 'vitest'
import { ConfigError, DTypeError, device, ShapeError, setThreads, Tensor } from '../../lib/index.ts'
import { roundTo } from '../harness.ts'

describe('making tensors', () => {
  test('from nested arrays, with their shape', async () => {
    const tensor = Tensor.from([
      [1, 2, 3],
      [4, 5, 6],
    ])
    expect(tensor.shape).toEqual([2, 3])
    expect(tensor.dtype).toBe('float32')
    expect(await tensor.data()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6))
  })

  test('from a number: a scalar', async () => {
    expect(Tensor.from(3).shape).toEqual([])
    expect(await Tensor.from(3).item()).toBe(3)
  })

  test('typed arrays keep their type; float64 narrows to float32', async () => {
    expect(Tensor.from(Int32Array.of(1)).dtype).toBe('int32')
    expect(Tensor.from(Uint8Array.of(1)).dtype).toBe('uint8')
    expect(Tensor.from(Int8Array.of(-1)).dtype).toBe('int8')
    expect(await Tensor.from(Float64Array.of(0.1)).data()).toEqual(Float32Array.of(0.1))
  })

  test('int64 ids are narrowed at the border, and refused when they do not fit', async () => {
    const ids = Tensor.from(BigInt64Array.of(-100n, 32127n))
    expect(ids.dtype).toBe('int32')
    expect(await ids.data()).toEqual(Int32Array.of(-100, 32127))
    expect(() => Tensor.from(BigInt64Array.of(2n ** 40n))).toThrow(DTypeError)
  })

  test('later changes of the source do not show', async () => {
    const source = Float32Array.of(1, 2)
    const tensor = Tensor.from(source)
    source[0] = 9
    expect(await tensor.data()).toEqual(Float32Array.of(1, 2))
  })

  test('a typed array that is a window on a larger buffer', async () => {
    const window = new Float32Array(Float32Array.of(0, 1, 2, 3).buffer, 4, 2)
    expect(await Tensor.from(window).data()).toEqual(Float32Array.of(1, 2))
  })

  test.each(['float16', 'bfloat16'] as const)('%s rounds to nearest even, over the whole range', async (dtype) => {
    const values = [
      0,
      -0,
      1,
      1 / 3,
      -2.5,
      65504,
      65519.99,
      65520,
      1e-8,
      5.96e-8,
      6.1e-5,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
    ]
    const edges = Array.from({ length: 2000 }, (_, i) => Math.sin(i) * 2 ** ((i % 60) - 30))
    const all = [...values, ...edges, Infinity, -Infinity]
    expect(await Tensor.from(all, { dtype }).data()).toEqual(Float32Array.from(all, (x) => roundTo(dtype, x)))
    expect((await Tensor.from([NaN], { dtype }).data())[0]).toBeNaN()
  })

  test.each([
    ['ragged', () => Tensor.from([[1, 2], [3]]), ShapeError, /nested arrays of equal lengths, got ragged/],
    ['too few', () => Tensor.from([1, 2], { shape: [3] }), ShapeError, /expected 3 values for \(3\), got 2/],
    ['rank', () => Tensor.empty([1, 1, 1, 1, 1, 1, 1, 1, 1]), ShapeError, /at most 8 dimensions/],
    ['negative', () => Tensor.empty([-1]), ShapeError, /dimensions >= 0/],
    ['fraction', () => Tensor.from([1.5], { dtype: 'int32' }), DTypeError, /expected int32 values, got 1.5 at 0/],
    ['range', () => Tensor.from([300], { dtype: 'uint8' }), DTypeError, /expected uint8 values, got 300 at 0/],
    ['strings', () => Tensor.from(['x'] as never), DTypeError, /expected numbers, got string "x"/],
    [
      'dtype',
      () => Tensor.from([1], { dtype: 'float8' as never }),
      ConfigError,
      /expected float32.*got string "float8"/,
    ],
    ['gradient', () => Tensor.from([1], { dtype: 'int32', requiresGrad: true }), DTypeError, /a float dtype/],
  ] as const)('%s is refused', (_, make, Class, message) => {
    expect(make).toThrow(Class)
    expect(make).toThrow(message)
  })
})

describe('reading', () => {
  test('item wants one element', async () => {
    await expect(Tensor.from([1, 2]).item()).rejects.toThrow('item: expected one element, got (2)')
  })

  test('a strided view is read dense', async () => {
    const view = Tensor.from([0, 1, 2, 3, 4, 5]).view([2, 2], [1, 2], 1)
    expect(await view.data()).toEqual(Float32Array.of(1, 3, 2, 4))
  })

  test('an empty tensor', async () => {
    expect(await Tensor.zeros([0, 5]).data()).toEqual(new Float32Array(0))
  })

  test('a disposed tensor is refused, and disposing twice does nothing', () => {
    const tensor = Tensor.from([1])
    tensor.dispose()
    tensor.dispose()
    expect(() => tensor.data()).toThrow(/live tensor of this thread, got a disposed one/)
  })

  test('disposing of a tensor leaves what was queued on it alone', async () => {
    const tensor = Tensor.from([1, 2, 3])
    const pending = tensor.data()
    tensor.dispose()
    Tensor.full([3], 9)
    expect(await pending).toEqual(Float32Array.of(1, 2, 3))
  })
})

describe('device', () => {
  test('auto is the CPU where there is nothing else', () => {
    expect(device().name).toBe('cpu')
    expect(() => device('cuda')).toThrow(/^cuda: expected a (build with CUDA kernels|CUDA driver)/)
    expect(() => device('tpu' as never)).toThrow(ConfigError)
  })

  test('thread counts are checked', () => {
    expect(() => setThreads(0)).toThrow(ConfigError)
    expect(() => setThreads(1e6)).toThrow(ConfigError)
  })
})
