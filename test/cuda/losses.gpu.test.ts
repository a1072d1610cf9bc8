// Losses over a vocabulary on a device, beside the CPU: the same draws from the same logits, blocks of tokens, what is
// refused, and the memory that a linear loss takes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DataError, device, IndexError, runtimeInfo, setDefaultDevice, Tensor } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { randomOf } from '../harness.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: losses on a GPU (${problem})`)

function randomTensor(seed: number, shape: readonly number[], scale = 1): Tensor {
  const random = randomOf(seed)
  const count = shape.reduce((product, n) => product * n, 1)
  return Tensor.from(
    Float32Array.from({ length: count }, () => scale * random.normal()),
    { shape },
  )
}
const ints = (values: readonly number[]) => Tensor.from(Int32Array.from(values))
const cuda = () => device('cuda')

describe.skipIf(devices.length === 0)('on a GPU', () => {
  beforeAll(() => setDefaultDevice('cuda'))
  afterAll(() => setDefaultDevice('cpu'))

  // A vocabulary of less than a block of sums, of several, and with a last one that fills no vector.
  test.each([100, 1000, 4099])('replaceTokens draws what the CPU draws, %d tokens', async (v) => {
    const random = randomOf(v)
    const originalIds = ints(Array.from({ length: 60 }, () => random.integer(v)))
    // One position twice: its last sample counts.
    const maskedPositions = ints([...Array.from({ length: 23 }, (_, i) => (i * 5) % 60), 10])
    const logits = randomTensor(v, [24, v], 3)
    for (const options of [{}, { temperature: 0.5 }, { disallowCorrect: true }]) {
      const draw = async (on: 'cpu' | 'cuda') => {
        const to = (tensor: Tensor) => tensor.to(on)
        const attrs = { ...options, seed: 5, step: 3 }
        const drawn = native.replaceTokens(to(logits), to(originalIds), to(maskedPositions), attrs)
        return Promise.all([drawn.corruptedIds.data(), drawn.isReplaced.data(), drawn.sampledIds.data()])
      }
      expect(await draw('cuda')).toEqual(await draw('cpu'))
    }
  })

  test('a linear loss takes blocks of 1,024 rows, as the CPU has them at once, and little more memory for more', async () => {
    const [v, k] = [40, 8]
    const weight = randomTensor(1, [v, k])
    const run = async (n: number, on: 'cpu' | 'cuda') => {
      const x = randomTensor(2, [n, k]).to(on)
      const labels = ints(Array.from({ length: n }, (_, i) => i % v)).to(on)
      const attrs = { gradX: true, gradWeight: true }
      await cuda().synchronize()
      cuda().trim()
      cuda().resetPeak()
      const before = cuda().memory().live
      const { loss, dX, dWeight } = native.linearCrossEntropy(x, weight.to(on), null, labels, null, null, attrs)
      const values = await Promise.all([loss, dX as Tensor, dWeight as Tensor].map((tensor) => tensor.data()))
      return { values, workspace: cuda().memory().peak - before - 4 * (n * k + v * k) }
    }
    const [few, many, expected] = [await run(1024, 'cuda'), await run(2050, 'cuda'), await run(2050, 'cpu')]
    expect(many.workspace).toBeLessThan(1.2 * few.workspace)
    expected.values.forEach((values, t) => {
      values.forEach((value, i) => {
        expect(many.values[t]?.[i]).toBeCloseTo(value, 6)
      })
    })
  })

  test('labels out of range are refused, rows without a token as well; the queue goes on', async () => {
    const logits = randomTensor(1, [2, 5])
    native.crossEntropyFwd(logits, ints([1, 5]), null)
    await expect(cuda().synchronize()).rejects.toThrow(IndexError)
    native.linearCrossEntropy(logits, randomTensor(2, [7, 5]), null, ints([7, -1]), null, null)
    await expect(cuda().synchronize()).rejects.toThrow('linearCrossEntropy: expected an index in [0, 7)')
    native.replaceTokens(logits, ints([0, 1]), ints([0, 2]), { seed: 1 })
    await expect(cuda().synchronize()).rejects.toThrow('replaceTokens: expected an index in [0, 2), got 2')
    native.replaceTokens(logits, ints([0, 9]), ints([0, 1]), { seed: 1 })
    await expect(cuda().synchronize()).rejects.toThrow('replaceTokens: expected an index in [0, 5), got 9')
    const bad = Tensor.from([[0, 1, Number.NaN, 0, 0]])
    native.replaceTokens(bad, ints([0]), ints([0]), { seed: 1 })
    await expect(cuda().synchronize()).rejects.toThrow(DataError)
    expect(await native.crossEntropyFwd(Tensor.zeros([1, 4]), ints([3]), null).loss.item()).toBeCloseTo(Math.log(4), 6)
  })
})
