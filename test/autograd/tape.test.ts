import { describe, expect, test } from 'vitest'
import {
  checkpoint,
  device,
  gradientCheck,
  keep,
  noGrad,
  nonDifferentiable,
  ops,
  optim,
  StateError,
  scope,
  Tensor,
} from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { randomOf } from '../harness.ts'

const leaf = (values: number[]) => Tensor.from(values, { requiresGrad: true })
const gradient = async (tensor: Tensor) => (tensor.grad ? Array.from(await tensor.grad.data()) : null)

describe('recording', () => {
  test('noGrad leaves no tape, and recording goes on behind it', () => {
    const x = leaf([1, 2])
    expect(noGrad(() => ops.square(x)).requiresGrad).toBe(false)
    expect(ops.square(x).requiresGrad).toBe(true)
    expect(() => noGrad(() => ops.square(x)).backward(x)).toThrow(StateError)
  })

  test('noGrad is over when its function throws', () => {
    expect(() =>
      noGrad(() => {
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(ops.square(leaf([1])).requiresGrad).toBe(true)
  })

  test('noGrad and scope refuse promises', () => {
    expect(() => noGrad(async () => {})).toThrow(StateError)
    expect(() => scope(async () => {})).toThrow(StateError)
  })

  test('nothing is recorded for inputs without requiresGrad', () => {
    expect(ops.add(Tensor.ones([2]), Tensor.ones([2])).requiresGrad).toBe(false)
  })

  test('detach cuts the tape', async () => {
    const x = leaf([3])
    ops.mul(ops.square(x).detach(), x).backward()
    expect(await gradient(x)).toEqual([9])
  })

  test('an op without gradient throws where the tape meets it', () => {
    const rounded = nonDifferentiable('rounded', (x: Tensor) => x)
    expect(() => rounded(leaf([1]))).toThrow(StateError)
    expect(() => noGrad(() => rounded(leaf([1])))).not.toThrow()
    expect(() => rounded(Tensor.ones([1]))).not.toThrow()
  })
})

describe('accumulation', () => {
  test('adds the gradients of two uses', async () => {
    const x = leaf([2, -3])
    ops.add(ops.square(x), ops.scale(x, 10)).backward(Tensor.from([1, 2]))
    expect(await gradient(x)).toEqual([14, 8])
  })

  test('adds over backward calls, until grad is taken away', async () => {
    const x = leaf([2])
    ops.square(x).backward()
    ops.square(x).backward()
    expect(await gradient(x)).toEqual([8])
    x.grad = null
    ops.square(x).backward()
    expect(await gradient(x)).toEqual([4])
  })

  test('keeps gradients apart that an op hands on twice, or as views', async () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])]
    const dY = Tensor.from([5, 6])
    const y = ops.add(a, b)
    ops.add(ops.add(y, a), ops.mul(b, 2)).backward(dY)
    expect(await gradient(a)).toEqual([10, 12])
    expect(await gradient(b)).toEqual([15, 18])
    expect(Array.from(await dY.data())).toEqual([5, 6])
  })

  test('adds to a gradient that is spread out from one value', async () => {
    const x = leaf([1, 2, 3])
    ops.add(ops.sum(x), ops.sum(ops.square(x))).backward()
    expect(await gradient(x)).toEqual([3, 5, 7])
    ops.sum(x).backward()
    expect(await gradient(x)).toEqual([4, 6, 8])
  })

  test('adds rows of a table, and products, in place to what is there: the bits of a sum of both', async () => {
    const random = randomOf(3)
    const normal = (shape: [number, number]) =>
      Tensor.from(
        Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
        { shape },
      )
    // More numbers than are added at a time, and not a multiple of these.
    const table = normal([4500, 1100])
    table.requiresGrad = true
    const ids = Tensor.from(Int32Array.of(7, 4499, 7, 0))
    const [x, wide] = [normal([3, 1100]), normal([3, 4500])]
    const uses = [
      () => ops.embedding(table, ids),
      () => ops.embeddingSum([table, table], [ids, ids], { paddingIdx: 7 }),
      () => ops.gatherRows(table, ids),
      () => ops.linear(x, table),
      () => ops.gemm(wide, table),
      () => ops.gemm(wide, table, { alpha: 0.5 }),
    ]
    const apart: Float32Array[] = []
    for (const use of uses) {
      table.grad = null
      ops.sum(ops.square(use())).backward()
      apart.push((await table.grad!.data()) as Float32Array)
    }
    table.grad = null
    for (const use of uses) ops.sum(ops.square(use())).backward()
    const want = apart.reduce((sum, part) => sum.map((value, i) => value + (part[i] as number)))
    const got = (await table.grad!.data()) as Float32Array
    // embeddingSum adds its two tables one after the other.
    const twice = new Set([7, 4499, 0].flatMap((row) => Array.from({ length: 1100 }, (_, c) => row * 1100 + c)))
    const off = got.findIndex((value, i) => (twice.has(i) ? Math.abs(value - want[i]!) > 1e-3 : value !== want[i]))
    expect(off).toBe(-1)
  })

  test('adding in place takes no memory of the size of the sum', async () => {
    const table = Tensor.ones([4500, 2000], { requiresGrad: true })
    const step = () => ops.sum(ops.add(ops.linear(Tensor.ones([2, 2000]), table), ops.sum(ops.embedding(table, ids))))
    const ids = Tensor.from(Int32Array.of(1, 2))
    step().backward()
    const y = step()
    device().resetPeak()
    const { live } = device().memory()
    y.backward()
    expect(device().memory().peak - live).toBeLessThan(table.size * 4 * 0.6)
    await device().synchronize()
  })

  test('through all outputs of one op', async () => {
    const x = leaf([1, 2, 3])
    const [head, tail] = ops.split(x, [1, 2]) as [Tensor, Tensor]
    ops.add(ops.sum(ops.square(tail)), ops.sum(head)).backward()
    expect(await gradient(x)).toEqual([1, 4, 6])
  })
})

describe('misuse', () => {
  test('backward twice', () => {
    const y = ops.square(leaf([1]))
    y.backward()
    expect(() => y.backward()).toThrow(StateError)
  })

  test('backward after an in-place update of what was saved', () => {
    const x = leaf([1, 2])
    const y = ops.sum(ops.square(x))
    native.fill(x, { value: 5 })
    expect(() => y.backward()).toThrow('square: expected at as forward saw it, got one updated in place since')
  })

  test('an update of what was not saved does no harm', async () => {
    const x = leaf([1, 2])
    const y = ops.sum(ops.scale(x, 3))
    native.fill(x, { value: 5 })
    y.backward()
    expect(await gradient(x)).toEqual([3, 3])
  })
})

describe('scope', () => {
  test('frees what was made in it, but for results, kept tensors and gradients', async () => {
    const x = leaf([1, 2])
    const before = device().memory().tensors
    let kept: Tensor | null = null
    const y = scope(() => {
      kept = keep(ops.scale(x, 2))
      const z = ops.sum(ops.square(ops.scale(x, 3)))
      z.backward()
      return ops.square(x).detach()
    })
    expect(device().memory().tensors).toBe(before + 3)
    expect(Array.from(await y.data())).toEqual([1, 4])
    expect(Array.from(await kept!.data())).toEqual([2, 4])
    expect(await gradient(x)).toEqual([18, 36])
  })

  test('a result can still be run backward', async () => {
    const x = leaf([3])
    const y = scope(() => ops.square(ops.square(x)))
    y.backward()
    expect(await gradient(x)).toEqual([108])
  })

  test('backward through what stayed behind says so', () => {
    const x = leaf([3])
    let inner: Tensor | null = null
    scope(() => {
      inner = keep(ops.square(x))
    })
    expect(() => inner!.backward()).toThrow(StateError)
  })
})

describe('checkpoint', () => {
  const size = 6 * 40
  const values = (seed: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(seed * 100 + i * 0.7))

  /** Three blocks with dropout; w is used in each, and x again at the end. */
  async function train(wrap: <A extends readonly Tensor[]>(fn: (...inputs: A) => Tensor, ...inputs: A) => Tensor) {
    const x = Tensor.from(values(1), { shape: [6, 40], requiresGrad: true })
    const w = Tensor.from(values(2).subarray(0, 40), { requiresGrad: true })
    let h: Tensor = x
    for (let site = 0; site < 3; site++) {
      h = wrap((input) => {
        const [y] = ops.residualRmsNorm(ops.geluTanh(input), input, w, { dropoutP: 0.3, seed: 11, site })
        return ops.add(ops.mul(y as Tensor, w), x)
      }, h)
    }
    const loss = ops.sum(ops.square(ops.add(h, x)))
    loss.backward()
    const data = await Promise.all([loss, x.grad!, w.grad!].map((tensor) => tensor.data()))
    return data.map((array) => Buffer.from(array.buffer).toString('hex'))
  }

  test('is bit-equal to not recomputing', async () => {
    expect(await train(checkpoint)).toEqual(await train((fn, ...inputs) => fn(...inputs)))
  })

  test('keeps no more than its inputs and result', () => {
    const x = Tensor.from(values(1), { shape: [6, 40], requiresGrad: true })
    const before = device().memory().live
    const bytes = scope(() => Tensor.empty([6, 40]) && device().memory().live - before)
    const y = scope(() => checkpoint((t) => ops.square(ops.exp(ops.tanh(t))), x))
    expect(device().memory().live).toBe(before + bytes)
    y.dispose()
  })
})

describe('gradientCheck', () => {
  test('agrees with a right gradient and sees a wrong one', async () => {
    const x = leaf([0.5, -1, 2])
    const [right] = await gradientCheck((t) => ops.tanh(t), [x])
    expect(right).toBeLessThan(1e-3)
    const [wrong] = await gradientCheck((t) => ops.add(ops.tanh(t), ops.scale(t.detach(), 0.5)), [x])
    expect(wrong).toBeGreaterThan(0.1)
  })
})

test('a clone has memory of its own, and hands its gradient on', async () => {
  using x = leaf([1, 2, 3])
  using copy = scope(() => ops.clone(ops.scale(x, 2)))
  using own = noGrad(() => ops.clone(x))
  noGrad(() => native.fill(own, { value: 7 }))
  expect([...(await x.data())]).toEqual([1, 2, 3])
  expect([...(await copy.data())]).toEqual([2, 4, 6])
  scope(() => ops.sum(copy).backward())
  expect(await gradient(x)).toEqual([2, 2, 2])
  x.grad?.dispose()
})

describe('a result that is computed again', () => {
  const random = randomOf(11)
  const normal = (...shape: number[]) =>
    Tensor.from(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
      { shape, requiresGrad: true },
    )
  const acts = ['none', 'relu', 'geluErf', 'geluTanh', 'silu'] as const
  const cases = acts.flatMap((act) =>
    [0, 0.25].flatMap((dropoutP) =>
      [false, true].flatMap((gated) =>
        [false, true].map((recompute) => ({ act, dropoutP, gated, recompute, seed: 3, site: 5, step: 7 })),
      ),
    ),
  )

  async function gradientsOf(leaves: readonly Tensor[], loss: () => Tensor) {
    scope(() => loss().backward())
    const data = await Promise.all(leaves.map((leaf) => leaf.grad!.data()))
    for (const leaf of leaves) {
      leaf.grad?.dispose()
      leaf.grad = null
    }
    return data
  }

  test.each(cases)(
    'gives the gradients of one that was kept: $act, dropout $dropoutP, gated $gated, product again $recompute',
    async ({ gated, recompute, ...epilogue }) => {
      using x = normal(7, 5)
      using first = normal(33, 5)
      using bias = normal(33)
      using second = normal(3, 33)
      using other = normal(33, 5)
      const leaves = [x, first, bias, second, ...(gated ? [other] : [])]
      const loss = (between: (hidden: Tensor) => Tensor, recompute: boolean) => () => {
        const gate = gated ? ops.linear(x, other) : null
        const hidden = ops.linear(x, first, { ...epilogue, bias, gate, recompute })
        return ops.sum(ops.square(ops.linear(between(hidden), second)))
      }
      // A view is kept as it is.
      const kept = loss((hidden) => ops.reshape(hidden, [7, 33]), false)
      expect(
        await gradientsOf(
          leaves,
          loss((hidden) => hidden, recompute),
        ),
      ).toEqual(await gradientsOf(leaves, kept))
    },
  )

  test.each(['rmsNorm', 'layerNorm'] as const)('gives the gradients of one that was kept: %s', async (kind) => {
    using x = normal(7, 40)
    using weight = normal(40)
    using bias = normal(40)
    using second = normal(3, 40)
    const norm = () => (kind === 'rmsNorm' ? ops.rmsNorm(x, weight) : ops.layerNorm(x, weight, bias))
    const loss = (between: (hidden: Tensor) => Tensor) => () => ops.sum(ops.square(ops.linear(between(norm()), second)))
    const leaves = [x, weight, second, ...(kind === 'layerNorm' ? [bias] : [])]
    const kept = loss((hidden) => ops.reshape(hidden, [7, 40]))
    expect(
      await gradientsOf(
        leaves,
        loss((hidden) => hidden),
      ),
    ).toEqual(await gradientsOf(leaves, kept))
  })

  test('takes no memory between forward and backward', () => {
    using x = normal(256, 64)
    using weight = normal(64)
    using first = normal(1024, 64)
    using second = normal(8, 1024)
    const live = (view: boolean, recompute: boolean) =>
      scope(() => {
        const seen = (tensor: Tensor) => (view ? ops.reshape(tensor, tensor.shape) : tensor)
        const result = scope(() => {
          const normed = seen(ops.rmsNorm(x, weight))
          return ops.linear(seen(ops.linear(normed, first, { act: 'geluErf', recompute })), second)
        })
        const { live } = device().memory()
        result.dispose()
        return { live }
      }).live
    const [hidden, normed] = [256 * 1024 * 4, 256 * 64 * 4]
    expect(live(true, false) - live(false, false)).toBe(hidden + normed)
    expect(live(false, false) - live(false, true)).toBe(hidden)
  })

  test('needs what it comes from as it was', () => {
    using x = normal(7, 5)
    using first = normal(33, 5)
    using second = normal(3, 33)
    scope(() => {
      const y = ops.linear(ops.linear(x, first, { act: 'relu', recompute: true }), second)
      using optimizer = new optim.SGD([first])
      first.grad = keep(Tensor.ones(first.shape))
      optimizer.step({ lr: 0.1 })
      first.grad.dispose()
      first.grad = null
      expect(() => ops.sum(y).backward()).toThrow('gemm: expected b as forward saw it, got one updated in place since')
    })
  })

  test('is not there once its tape was used', () => {
    using x = normal(7, 5)
    using first = normal(33, 5)
    using second = normal(3, 33)
    scope(() => {
      const hidden = ops.linear(x, first, { act: 'relu' })
      const later = ops.linear(hidden, second)
      ops.sum(hidden).backward()
      expect(() => ops.sum(later).backward()).toThrow('backward: expected the tape of gemm to be unused')
      x.grad?.dispose()
      first.grad?.dispose()
    })
  })
})
