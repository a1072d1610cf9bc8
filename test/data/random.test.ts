import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../lib/index.ts'
import { philox, Random } from '../../lib/random.ts'
import { expectRate } from './statistics.ts'

const hex = (words: ArrayLike<number>) => Array.from(words, (word) => word.toString(16).padStart(8, '0')).join(' ')

describe('philox', () => {
  // The test vectors that come with the paper's library.
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [Array(4).fill(0xffffffff), Array(2).fill(0xffffffff), '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('gives the published words of counter %j', (counter, key, words) => {
    expect(hex(philox(Uint32Array.from(key), Uint32Array.from(counter)))).toBe(words)
  })
})

describe('Random', () => {
  const draws = (random: Random, n = 9) => Array.from({ length: n }, () => random.uint32())

  it('starts with the words of its seed, a block after the other', () => {
    const key = Uint32Array.of(0x89abcdef, 0x1234)
    const blocks = [0, 1].flatMap((block) => [...philox(key, Uint32Array.of(block, 0, 0, 0))])
    expect(draws(new Random(0x123489abcdef), 8)).toEqual(blocks)
  })

  it('names streams: the same one by the same name, whatever was drawn elsewhere', () => {
    const root = new Random(7)
    const first = draws(root.at(3, 5))
    draws(root, 100)
    root.at(3).uint32()
    expect(draws(root.at(3, 5))).toEqual(first)
    expect(draws(root.at(3).at(5))).toEqual(first)
    const others = [
      root.at(5, 3),
      root.at(3),
      root.at(5),
      root.at(3, 6),
      new Random(8).at(3, 5),
      root.at(3 + 2 ** 32, 5),
    ]
    const starts = [first, ...others.map((random) => draws(random))].map((words) => words.join())
    expect(new Set(starts).size).toBe(starts.length)
  })

  it('draws uniformly below a limit', () => {
    const random = new Random(1)
    const counts = new Int32Array(7)
    const n = 70_000
    for (let i = 0; i < n; i++) counts[random.below(7)]! += 1
    for (const count of counts) expectRate(count, n, 1 / 7)
    expect(random.below(1)).toBe(0)
    expect(random.below(2 ** 32)).toBeGreaterThanOrEqual(0)
  })

  it('draws again where a limit would be uneven', () => {
    // Two thirds of the words are below this limit: without drawing again the lower half would come twice as often.
    const limit = 2 * Math.floor(2 ** 32 / 3) + 1
    const random = new Random(2)
    const n = 10_000
    let low = 0
    for (let i = 0; i < n; i++) low += Number(random.below(limit) < limit / 2)
    expectRate(low, n, 0.5)
  })

  it('has uniform numbers in (0, 1)', () => {
    const random = new Random(3)
    const n = 100_000
    let sum = 0
    let inQuarter = 0
    for (let i = 0; i < n; i++) {
      const u = random.uniform()
      sum += u
      inQuarter += Number(u < 0.25)
      if (u <= 0 || u >= 1) throw new Error(`${u} is not in (0, 1)`)
    }
    // Five standard errors of a mean of uniform numbers.
    expect(Math.abs(sum / n - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n))
    expectRate(inQuarter, n, 0.25)
  })

  it('shuffles into every order alike', () => {
    const counts = new Map<string, number>()
    const n = 24_000
    for (let i = 0; i < n; i++) {
      const order = new Random(4).at(i).shuffle([0, 1, 2, 3]).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(24)
    for (const count of counts.values()) expectRate(count, n, 1 / 24)
  })

  it('chooses by weight, never what has none', () => {
    const random = new Random(5)
    const weights = [0, 1, 0, 3, 0]
    const counts = new Int32Array(5)
    const n = 40_000
    for (let i = 0; i < n; i++) counts[random.weighted(weights)]! += 1
    expect([counts[0], counts[2], counts[4]]).toEqual([0, 0, 0])
    expectRate(counts[3] as number, n, 0.75)
  })

  it('refuses seeds, names and limits that are no whole numbers in range', () => {
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => new Random(bad)).toThrow(ConfigError)
      expect(() => new Random(1).at(bad)).toThrow(ConfigError)
    }
    for (const bad of [0, -1, 1.5, 2 ** 32 + 1]) expect(() => new Random(1).below(bad)).toThrow(ConfigError)
  })
})
