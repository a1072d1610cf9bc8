import { describe, expect, it } from 'vitest'
import { ConfigError, data, Random } from '../../lib/index.ts'
import { expectRate } from './statistics.ts'
import { expectResumable, valuesOf } from './streams.ts'

const pairs = [1, 2, 3].map((i) => ({ text: `a${i}`, textPair: `b${i}`, label: i }))
const streamOf = <T>(values: readonly T[]) => data.sample(data.datasetOf(values), { shuffle: false })

describe('tokenDropout', () => {
  it('leaves tokens out at its rate, and the others in order', () => {
    const tokens = Int32Array.from({ length: 100 }, (_, i) => i)
    let kept = 0
    for (let i = 0; i < 500; i++) {
      const left = data.tokenDropout(0.2)(tokens, new Random(1).at(i))
      expect(left.slice().sort()).toEqual(left)
      expect(new Set(left).size).toBe(left.length)
      kept += left.length
    }
    expectRate(kept, 50_000, 0.8)
  })

  it('never leaves all out, whichever is the one that stays', () => {
    const counts = new Int32Array(3)
    for (let i = 0; i < 3000; i++) {
      const left = data.tokenDropout(0.999)(Int32Array.of(0, 1, 2), new Random(2).at(i))
      expect(left.length).toBeGreaterThan(0)
      if (left.length === 1) counts[left[0] as number]! += 1
    }
    const total = counts.reduce((sum, count) => sum + count, 0)
    for (const count of counts) expectRate(count, total, 1 / 3)
  })

  it('of nothing, or at rate 0, changes nothing', () => {
    expect([...data.tokenDropout(0.5)(new Int32Array(0), new Random(0))]).toEqual([])
    expect([...data.tokenDropout(0)(Int32Array.of(4, 5), new Random(0))]).toEqual([4, 5])
    for (const bad of [-0.1, 1, Number.NaN]) expect(() => data.tokenDropout(bad)).toThrow(ConfigError)
  })
})

describe('swapPairs', () => {
  it('gives each pair in both orders, with all else it has', async () => {
    const swapped = pairs.map(({ text, textPair, label }) => ({ text: textPair, textPair: text, label }))
    const both = await valuesOf(streamOf(pairs).through(data.swapPairs()))
    expect(both).toEqual([0, 1, 2].flatMap((i) => [pairs[i], swapped[i]]))
    await expectResumable(() => streamOf(pairs).through(data.swapPairs()))
  })
})
