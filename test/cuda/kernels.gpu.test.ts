// The kernels on a real GPU, beside the CPU's: element-wise arithmetic and conversion round in one place, so the bits are equal.
// Skipped, and said, where there is no GPU.
import { describe, expect, test } from 'vitest'
import { type DType, ops, runtimeInfo, Tensor } from '../../lib/index.ts'
import { randomOf } from '../harness.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: kernels on a GPU (${problem})`)

const dtypes = ['float32', 'float16', 'bfloat16'] as const
const shapes = [
  [[], []],
  [[1], [1]],
  [[0, 4], [4]],
  [
    [3, 5, 17],
    [3, 5, 17],
  ],
  [[33, 65], [65]],
  [
    [4, 1, 6],
    [5, 1],
  ],
  [
    [257, 1030],
    [257, 1030],
  ],
] as const

function random(shape: readonly number[], seed: number, dtype: DType): Tensor {
  const source = randomOf(seed)
  const size = shape.reduce((product, n) => product * n, 1)
  const data = Float32Array.from({ length: size }, () => source.normal() + 3)
  return Tensor.from(data, { shape: [...shape], dtype })
}

/** Runs on both devices, and expects the same bits. */
async function expectEqual(run: (on: (tensor: Tensor) => Tensor) => Tensor): Promise<void> {
  const expected = await run((tensor) => tensor).data()
  const got = run((tensor) => tensor.to('cuda'))
  expect(got.device).toBe('cuda:0')
  const actual = await got.data()
  expect(actual.length).toBe(expected.length)
  expect(Buffer.compare(Buffer.from(actual.buffer), Buffer.from(expected.buffer))).toBe(0)
}

describe.skipIf(devices.length === 0)('on a GPU', () => {
  describe.each(dtypes)('%s', (dtype) => {
    test.each(['add', 'sub', 'mul', 'div'] as const)('%s, with broadcasting', async (op) => {
      for (const [a, b] of shapes) {
        const [x, y] = [random(a, 1, dtype), random(b, 2, dtype)]
        await expectEqual((on) => ops[op](on(x), on(y)))
      }
    })

    test('views with gaps', async () => {
      const x = random([12, 20], 3, dtype)
      const view = (tensor: Tensor) => tensor.view([5, 9], [40, 2], 3, false)
      await expectEqual((on) => ops.mul(view(on(x)), view(on(x))))
      await expectEqual((on) => ops.cast(view(on(x)), 'float32'))
    })

    test.each(['float32', 'float16', 'bfloat16', 'int32', 'uint8', 'int8'] as const)('as %s', async (to) => {
      await expectEqual((on) => ops.cast(on(random([77, 131], 4, dtype)), to))
    })

    test('scaled and shifted by numbers', async () => {
      await expectEqual((on) => ops.add(ops.scale(on(random([333], 5, dtype)), 0.3), -1.7))
    })
  })
})
