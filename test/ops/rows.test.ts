import { describe, expect, test } from 'vitest'
import { DTypeError, device, IndexError, noGrad, ops, ShapeError, setThreads, Tensor } from '../../lib/index.ts'

describe('ids outside their table', () => {
  const table = () => Tensor.ones([5, 3], { requiresGrad: true })
  const badIds = () => Tensor.from(Int32Array.of(0, 4, 5))

  test.each([
    ['embedding', () => ops.embedding(table(), badIds()), 'embedding: expected ids in [0, 5), got 5 at 2'],
    ['embeddingSum', () => ops.embeddingSum([table()], [badIds()]), 'embedding: expected ids in [0, 5), got 5 at 2'],
    ['gatherRows', () => ops.gatherRows(table(), badIds()), 'gatherRows: expected ids in [0, 5), got 5 at 2'],
    [
      'scatterRows',
      () => ops.scatterRows(Tensor.ones([3, 2]), badIds(), 5),
      'scatterRows: expected ids in [0, 5), got 5 at 2',
    ],
    [
      'a negative id',
      () => ops.gatherRows(table(), Tensor.from(Int32Array.of(-1))),
      'gatherRows: expected ids in [0, 5), got -1 at 0',
    ],
  ])('%s', async (_, run, message) => {
    const y = run()
    await expect(y.data()).rejects.toThrow(message)
    await expect(run().data()).rejects.toBeInstanceOf(IndexError)
    // The queue goes on.
    await expect(ops.embedding(table(), Tensor.from(Int32Array.of(4))).data()).resolves.toHaveLength(3)
  })
})

describe('arguments', () => {
  const ids = Tensor.from(Int32Array.of(0, 1))
  test.each([
    ['embedding of a vector', () => ops.embedding(Tensor.ones([4]), ids), ShapeError],
    ['embedding of integers', () => ops.embedding(Tensor.zeros([4, 2], { dtype: 'int32' }), ids), DTypeError],
    ['float ids', () => ops.embedding(Tensor.ones([4, 2]), Tensor.ones([2])), DTypeError],
    [
      'tables of different widths',
      () => ops.embeddingSum([Tensor.ones([4, 2]), Tensor.ones([4, 3])], [ids, ids]),
      ShapeError,
    ],
    ['fewer ids than tables', () => ops.embeddingSum([Tensor.ones([4, 2]), Tensor.ones([4, 2])], [ids]), ShapeError],
    ['scatter of too few rows', () => ops.scatterRows(Tensor.ones([3, 2]), ids, 4), ShapeError],
    ['concat of nothing', () => ops.concat([]), ShapeError],
    ['concat of other widths', () => ops.concat([Tensor.ones([2, 3]), Tensor.ones([2, 4])]), ShapeError],
    ['concat of other dtypes', () => ops.concat([Tensor.ones([2]), ids]), DTypeError],
    ['concat along no axis', () => ops.concat([Tensor.ones([2])], 1), ShapeError],
    ['split that does not add up', () => ops.split(Tensor.ones([5]), [2, 2]), ShapeError],
    ['slice beyond the end', () => ops.slice(Tensor.ones([5]), 0, 2, 6), IndexError],
    ['select beyond the end', () => ops.select(Tensor.ones([5]), 0, 5), IndexError],
    ['reshape to another size', () => ops.reshape(Tensor.ones([6]), [4, 2]), ShapeError],
    ['reshape by guess', () => ops.reshape(Tensor.ones([6]), [4, -1]), ShapeError],
    ['permute of a repeated axis', () => ops.permute(Tensor.ones([2, 3]), [0, 0]), ShapeError],
    ['sum over a missing axis', () => ops.sum(Tensor.ones([2, 3]), { axes: [2] }), ShapeError],
    ['max of nothing', () => ops.max(Tensor.ones([0, 3]), { axes: [0] }), ShapeError],
    ['norm of another width', () => ops.rmsNorm(Tensor.ones([2, 3]), Tensor.ones([4])), ShapeError],
    ['addition that does not broadcast', () => ops.add(Tensor.ones([2, 3]), Tensor.ones([4])), ShapeError],
  ] as const)('%s', (_, run, expected) => expect(run).toThrow(expected))
})

describe('views', () => {
  test('take no memory where strides allow', () => {
    const x = Tensor.ones([64, 64])
    const before = device().memory().live
    noGrad(() => ops.reshape(ops.slice(ops.transpose(ops.reshape(x, [8, 8, 64]), 0, 1), 0, 2, 5), [3, 8, 64]))
    ops.split(x, [32, 32], 1)
    expect(device().memory().live).toBe(before + 3 * 8 * 64 * 4)
  })
})

describe('a row of −∞ alone', () => {
  const masked = () => Tensor.from([[-Infinity, -Infinity]], { requiresGrad: true })
  test('has softmax 0 and no gradient', async () => {
    const x = masked()
    const y = ops.softmax(x)
    expect(Array.from(await y.data())).toEqual([0, 0])
    y.backward(Tensor.from([[1, 2]]))
    expect(Array.from(await x.grad!.data())).toEqual([0, 0])
  })
  test('stays −∞ in logSoftmax', async () => {
    expect(Array.from(await ops.logSoftmax(masked()).data())).toEqual([-Infinity, -Infinity])
  })
  test('is not what a NaN makes of it', async () => {
    const x = Tensor.from([[-Infinity, NaN, -Infinity]])
    expect(Array.from(await ops.softmax(x).data())).toEqual([NaN, NaN, NaN])
  })
})

describe('norms', () => {
  test('a row of equal values gives the bias, whatever its size, at eps 1e-12', async () => {
    const x = Tensor.from([0.1, 1234.5678, -3e7, 1e-30].map((value) => new Array(7).fill(value)))
    const y = await ops.layerNorm(x, Tensor.ones([7]), Tensor.full([7], 0.5)).data()
    for (const value of y) expect(value).toBeCloseTo(0.5, 3)
  })
})

describe('one thread and two', () => {
  test('give the same bits', async () => {
    const random = (shape: number[], seed: number) => {
      let state = seed
      const size = shape.reduce((a, b) => a * b, 1)
      const next = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        return state / 2 ** 31 - 1
      }
      return Float32Array.from({ length: size }, next)
    }
    const run = async () => {
      const leaf = (shape: number[], seed: number) => Tensor.from(random(shape, seed), { shape, requiresGrad: true })
      const [x, residual, weight, bias] = [leaf([1000, 96], 1), leaf([1000, 96], 2), leaf([96], 3), leaf([96], 4)]
      const table = leaf([50, 96], 5)
      const ids = Tensor.from(Int32Array.from({ length: 1000 }, (_, i) => (i * i) % 50))
      const h = ops.add(x, ops.embedding(table, ids))
      const [y] = ops.residualLayerNorm(h, residual, weight, bias, { dropoutP: 0.2, seed: 5 })
      const loss = ops.mean(ops.mul(ops.softmax(ops.geluErf(y)), y))
      loss.backward()
      const results = [loss, x.grad!, residual.grad!, weight.grad!, bias.grad!, table.grad!]
      const data = await Promise.all(results.map((tensor) => tensor.data()))
      return data.map((array) => Buffer.from(array.buffer).toString('base64'))
    }
    setThreads(1)
    const one = await run()
    setThreads(2)
    expect(await run()).toEqual(one)
    expect(await run()).toEqual(one)
  })
})
