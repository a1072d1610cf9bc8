import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DeviceError, device, keep, ops, scope, Tensor } from '../../lib/index.ts'
import { randomOf } from '../harness.ts'
import { rounds } from './memory.ts'

const cpu = device('cpu')
let before = cpu.memory()
beforeEach(() => {
  before = cpu.memory()
})

describe('live bytes', () => {
  test('return to the start after 1,000 op, backward and dispose rounds', async () => {
    await rounds(1000)
    expect(cpu.memory()).toMatchObject({ live: before.live, tensors: before.tensors })
  })

  test('are exact: blocks of 64 bytes, one for each storage', () => {
    const a = Tensor.from(new Float32Array(16))
    expect(cpu.memory().live - before.live).toBe(64)
    const b = Tensor.from(new Float32Array(17))
    expect(cpu.memory().live - before.live).toBe(64 + 128)
    const view = b.detach()
    b.dispose()
    expect(cpu.memory().live - before.live).toBe(64 + 128)
    view.dispose()
    view.dispose()
    a.dispose()
    expect(cpu.memory()).toMatchObject({ live: before.live, tensors: before.tensors })
  })

  test('peak at what was needed at once', () => {
    cpu.resetPeak()
    for (let i = 0; i < 10; i++) Tensor.empty([1024]).dispose()
    expect(cpu.memory().peak - before.live).toBe(4096)
  })
})

describe('scope', () => {
  test('frees all but what it returns and what is kept', () => {
    let kept = Tensor.empty([0])
    kept.dispose()
    const result = scope(() => {
      const x = Tensor.ones([100], { requiresGrad: true })
      kept = keep(Tensor.ones([100]))
      ops.add(x, x)
      return { y: [ops.add(kept, kept)] }
    })
    expect(cpu.memory().tensors - before.tensors).toBe(2)
    result.y[0]?.dispose()
    kept.dispose()
    expect(cpu.memory()).toMatchObject({ live: before.live, tensors: before.tensors })
  })

  test('frees all when it throws', () => {
    expect(() =>
      scope(() => {
        Tensor.ones([100])
        throw new RangeError('mine')
      }),
    ).toThrow(RangeError)
    expect(cpu.memory()).toMatchObject({ live: before.live, tensors: before.tensors })
  })
})

describe('a memory limit', () => {
  afterEach(() => cpu.setMemoryLimit(2 ** 40))

  test('throws at the call, and leaves everything usable', async () => {
    cpu.trim()
    const x = Tensor.ones([1024])
    const { live, tensors } = cpu.memory()
    cpu.setMemoryLimit(live + 4096)
    const y = ops.add(x, x)
    expect(() => ops.add(y, x)).toThrow(DeviceError)
    expect(() => ops.add(y, x)).toThrow(
      /^binary: expected at most 0 more bytes, got 4096 \(out of memory: \d+ bytes live\)$/,
    )
    expect(() => Tensor.empty([2 ** 30, 2 ** 30])).toThrow(DeviceError)
    expect(cpu.memory()).toMatchObject({ live: live + 4096, tensors: tensors + 1 })
    expect((await y.data())[1023]).toBe(2)
    y.dispose()
    const z = ops.add(x, x)
    expect((await z.data())[0]).toBe(2)
    z.dispose()
    x.dispose()
  })

  test('holds where free ranges lie between blocks in use, and counts only these', () => {
    cpu.trim()
    const large = Tensor.empty([1 << 20])
    cpu.setMemoryLimit(cpu.memory().live + 4096)
    const small = Tensor.empty([1024])
    expect(() => Tensor.empty([16])).toThrow(DeviceError)
    expect(() => Tensor.empty([1 << 24])).toThrow(DeviceError)
    small.dispose()
    large.dispose()
  })

  // Memory under a checker is not cached.
  const checked = process.env.DUOFORMER_CHECKED_MEMORY === '1'
  test.skipIf(checked)('counts cached memory, which makes room', () => {
    cpu.trim()
    const kept = cpu.memory().cached
    scope(() => {
      for (let i = 1; i <= 20; i++) Tensor.empty([1 << 12, i])
    })
    const { live, cached } = cpu.memory()
    expect(cached).toBeGreaterThan(kept + 3e6)
    cpu.setMemoryLimit(live + cached)
    const all = Tensor.empty([Math.floor((cached - kept) / 4.5)])
    expect(cpu.memory().cached).toBe(kept)
    all.dispose()
  })

  test.skipIf(checked)('large blocks become one again, whatever they were', () => {
    cpu.trim()
    const { live } = cpu.memory()
    const total = () => cpu.memory().live + cpu.memory().cached
    // Sixteen times 4 MB, given back in another order, then as few and as many as fit, in the same 64 MB.
    const tensors = Array.from({ length: 16 }, () => Tensor.empty([1 << 20]))
    const most = total()
    for (let i = 0; i < 16; i++) tensors[(i * 7) % 16]?.dispose()
    for (const sizes of [[16], [5, 11], [1, 2, 3, 4, 6], [8, 8], new Array(16).fill(1)]) {
      const parts = sizes.map((size) => Tensor.empty([size << 20]))
      expect(total()).toBe(most)
      expect(cpu.memory().live - live).toBe(64 << 20)
      for (const part of parts.toSorted((a, b) => (a.size % 5) - (b.size % 5))) part.dispose()
    }
    cpu.trim()
    expect(total()).toBeLessThanOrEqual(most - (64 << 20))
  })

  test.skipIf(checked)('large blocks follow each other: what is behind the last grows by what is missing alone', () => {
    cpu.trim()
    const { live, cached } = cpu.memory()
    const [first, ...others] = [5, 61, 3, 94, 17].map((size) => Tensor.empty([size << 18]))
    expect(cpu.memory().live - live).toBe(180 << 20)
    expect(cpu.memory().cached - cached).toBeLessThanOrEqual(2 << 20)
    // Of the last 17 MB, 4 stay in use; 30 more need 17 beyond them.
    others.pop()?.dispose()
    const [small, large] = [Tensor.empty([4 << 18]), Tensor.empty([30 << 18])]
    expect(cpu.memory().cached - cached).toBeLessThanOrEqual(2 << 20)
    expect(cpu.memory().live - live).toBe((180 + 17) << 20)
    // The end goes back to the system, beside what is in use before it.
    for (const tensor of [large, ...others]) tensor.dispose()
    cpu.trim()
    expect(cpu.memory().cached - cached).toBeLessThanOrEqual((158 + 2) << 20)
    for (const tensor of [small, first]) tensor?.dispose()
  })

  test.skipIf(checked || process.platform !== 'linux')(
    'trim gives memory back, beside what shares its region',
    async () => {
      cpu.trim()
      const [start, size] = [process.memoryUsage().rss, 2 ** 20]
      const tensors = Array.from({ length: 200 }, () => Tensor.full([size / 4], 1))
      const kept = tensors.filter((_, i) => i % 40 === 7)
      await cpu.synchronize()
      const grown = process.memoryUsage().rss - start
      for (const tensor of tensors) if (!kept.includes(tensor)) tensor.dispose()
      cpu.trim()
      const left = process.memoryUsage().rss - start
      expect(grown).toBeGreaterThan(180 * size)
      expect(left).toBeLessThan(40 * size)
      for (const tensor of kept) {
        expect(new Set(await tensor.data())).toEqual(new Set([1]))
        tensor.dispose()
      }
    },
  )

  test('blocks of any size, given back in any order, never lie in each other', async () => {
    const random = randomOf(7)
    const live: { tensor: Tensor; value: number }[] = []
    for (let i = 1; i <= 300; i++) {
      const size = random.integer(4) === 0 ? random.integer(1 << 12) : random.integer(1 << 20)
      live.push({ tensor: Tensor.full([size + 1], i), value: i })
      if (live.length > 20) live.splice(random.integer(live.length), 1)[0]?.tensor.dispose()
      if (i % 50 === 0) cpu.trim()
    }
    for (const { tensor, value } of live) {
      expect(new Set(await tensor.data())).toEqual(new Set([value]))
      tensor.dispose()
    }
  })
})
