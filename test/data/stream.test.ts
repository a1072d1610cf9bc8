import { describe, expect, it } from 'vitest'
import { permutation } from '../../lib/data/permutation.ts'
import { ConfigError, DataError, data, Random } from '../../lib/index.ts'
import { expectRate } from './statistics.ts'
import { expectResumable, valuesOf } from './streams.ts'

const numbers = (n: number) => data.datasetOf(Array.from({ length: n }, (_, i) => i))
const inOrder = (n: number, options: data.SampleOptions = {}) => data.sample(numbers(n), { shuffle: false, ...options })
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b)
/** A value with the first number that it would draw. */
const drawn = data.map((value: number, random) => [value, random.uint32()] as const)

describe('permutation', () => {
  it.each([1, 2, 3, 10, 65536, 65537, 70_001])('of %d has each number once', (n) => {
    const seen = new Uint8Array(n)
    const order = permutation(n, new Random(1))
    for (let i = 0; i < n; i++) seen[order(i)]! += 1
    expect(seen.every((count) => count === 1)).toBe(true)
  })

  it.each([100, 100_000])('of %d is another one for another stream, and spreads neighbours', (n) => {
    const order = permutation(n, new Random(1))
    const again = permutation(n, new Random(1))
    const other = permutation(n, new Random(2))
    let changed = 0
    let rising = 0
    let same = 0
    for (let i = 0; i + 1 < n; i++) {
      changed += Number(again(i) !== order(i))
      rising += Number(order(i) < order(i + 1))
      same += Number(order(i) === other(i))
    }
    expect(changed).toBe(0)
    // Ascents of a permutation: mean (n − 1) / 2, variance (n + 1) / 12. Common places of two: Poisson with mean 1.
    expect(Math.abs(rising - (n - 1) / 2)).toBeLessThan(5 * Math.sqrt((n + 1) / 12))
    expect(same).toBeLessThan(10)
  })
})

describe('sample', () => {
  it('reads in order, as often as it is told', async () => {
    expect(await valuesOf(inOrder(3, { epochs: 2 }))).toEqual([0, 1, 2, 0, 1, 2])
    expect(await valuesOf(inOrder(0, { epochs: Infinity }))).toEqual([])
  })

  it('has each example once an epoch, in another order each time, the same for the same seed', async () => {
    const order = (seed: number) => valuesOf(data.sample(numbers(50), { epochs: 2, seed }))
    const values = await order(3)
    const [first, second] = [values.slice(0, 50), values.slice(50)]
    expect(sorted(first)).toEqual(sorted(second))
    expect(sorted(first)).toEqual([...Array(50).keys()])
    expect(first).not.toEqual(second)
    expect(await order(3)).toEqual(values)
    expect(await order(4)).not.toEqual(values)
  })

  it('shares out the examples to ranks, with the random numbers of the whole', async () => {
    const options = { epochs: 2, seed: 5 }
    const whole = await valuesOf(data.sample(numbers(11), options).through(drawn))
    const parts = await Promise.all(
      [0, 1, 2].map((rank) => valuesOf(data.sample(numbers(11), { ...options, rank, worldSize: 3 }).through(drawn))),
    )
    expect(parts.map((part) => part.length)).toEqual([8, 8, 6])
    const epoch = (e: number) =>
      Array.from({ length: 11 }, (_, place) => {
        const part = parts[place % 3] as (readonly [number, number])[]
        return part[(e * part.length) / 2 + Math.floor(place / 3)]
      })
    expect([...epoch(0), ...epoch(1)]).toEqual(whole)
    // Another epoch, other numbers.
    const of = (pairs: (readonly [number, number])[], value: number) => pairs.find(([v]) => v === value)?.[1]
    expect(of(whole.slice(0, 11), 4)).not.toBe(of(whole.slice(11), 4))
  })

  it('goes on where it was left', async () => {
    await expectResumable(() => data.sample(numbers(7), { epochs: 3, seed: 1, rank: 1, worldSize: 2 }).through(drawn))
  })

  it('refuses positions in another dataset, and options out of range', async () => {
    await expect(inOrder(5).restore(inOrder(6).state())).rejects.toThrow(DataError)
    for (const bad of [
      { epochs: 0 },
      { epochs: 1.5 },
      { rank: 2, worldSize: 2 },
      { rank: -1 },
      { worldSize: 0 },
      { seed: -1 },
    ]) {
      expect(() => inOrder(5, bad), JSON.stringify(bad)).toThrow(ConfigError)
    }
  })
})

describe('stages', () => {
  const pairs = data.flatMap((value: number) => (value % 3 === 0 ? [] : [value, -value]))
  /** Numbers up to a sum, which shows what is put back and read again. */
  const sums: data.Stage<number, number[]> = {
    size: 100,
    takes: (group, next) => group.reduce((sum, { value }) => sum + value, next.value) <= 10,
    give: (group) => data.itemsOf([group.map(({ value }) => value)], group),
  }

  it('map, flatMap, filter and batch', async () => {
    expect(await valuesOf(inOrder(3).through(data.map((value) => value * 10)))).toEqual([0, 10, 20])
    expect(await valuesOf(inOrder(6).through(pairs))).toEqual([1, -1, 2, -2, 4, -4, 5, -5])
    expect(await valuesOf(inOrder(6).through(data.filter((value) => value % 2 === 1)))).toEqual([1, 3, 5])
    expect(await valuesOf(inOrder(5).through(data.batch(2)))).toEqual([[0, 1], [2, 3], [4]])
  })

  it('take the items that belong together', async () => {
    expect(await valuesOf(inOrder(8).through(sums))).toEqual([[0, 1, 2, 3, 4], [5], [6], [7]])
  })

  it('shuffle within blocks', async () => {
    const values = await valuesOf(inOrder(20).through(data.shuffle(8)))
    expect(values).not.toEqual([...Array(20).keys()])
    expect(sorted(values.slice(0, 8))).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(sorted(values.slice(16))).toEqual([16, 17, 18, 19])
  })

  it('shuffle blocks of different epochs differently', async () => {
    const values = await valuesOf(inOrder(20, { epochs: 2 }).through(data.shuffle(20)))
    expect(sorted(values.slice(0, 20))).toEqual(sorted(values.slice(20)))
    expect(values.slice(0, 20)).not.toEqual(values.slice(20))
  })

  it('shard by turns, with the random numbers of the whole', async () => {
    const whole = await valuesOf(inOrder(8).through(drawn))
    const part = (rank: number, dropLast: boolean) =>
      valuesOf(
        inOrder(8)
          .through(data.shard({ rank, worldSize: 3, dropLast }))
          .through(drawn),
      )
    expect(await part(1, false)).toEqual([whole[1], whole[4], whole[7]])
    expect(await part(2, false)).toEqual([whole[2], whole[5]])
    expect(await part(1, true)).toEqual([whole[1], whole[4]])
  })

  it('draw other numbers in each stage, and for each result', async () => {
    const draw = data.map((values: number[], random) => [...values, random.uint32()])
    const stream = inOrder(2).through(data.flatMap((_, random) => [[random.uint32()], [random.uint32()]]))
    const all = (await valuesOf(stream.through(draw).through(draw))).flat()
    expect(all.length).toBe(12)
    expect(new Set(all).size).toBe(12)
  })

  it('go on where they were left, at every place', async () => {
    await expectResumable(() => inOrder(10).through(pairs).through(drawn))
    await expectResumable(() => inOrder(12).through(sums))
    await expectResumable(() => inOrder(17, { epochs: 2 }).through(data.shuffle(5)).through(data.batch(3)))
    await expectResumable(() =>
      inOrder(9)
        .through(sums)
        .through(data.flatMap((values) => [...values, 1]))
        .through(sums),
    )
    await expectResumable(() =>
      inOrder(9)
        .through(data.shard({ rank: 1, worldSize: 2 }))
        .through(data.shuffle(3)),
    )
  })

  it('hand errors on', async () => {
    const failing = data.map((value: number) => {
      if (value === 2) throw new DataError('data: expected anything but 2, got 2')
      return value
    })
    await expect(valuesOf(inOrder(3).through(failing).through(data.batch(2)))).rejects.toThrow(/got 2/)
  })

  it('refuse states of other streams', async () => {
    const streams = [inOrder(9), inOrder(9).through(data.batch(2)), data.mix([{ stream: inOrder(9), rate: 1 }])]
    for (const [i, stream] of streams.entries()) {
      for (const [j, other] of streams.entries()) {
        if (i !== j) await expect(stream.restore(other.state())).rejects.toThrow(DataError)
      }
      await expect(stream.restore({})).rejects.toThrow(/made in the same way/)
      await expect(stream.restore(null as never)).rejects.toThrow(DataError)
    }
    const pairwise = inOrder(9).through(pairs)
    await pairwise.next()
    await expect(inOrder(9).through(drawn).restore(pairwise.state())).rejects.toThrow(/after 1 of 1 results/)
  })

  it('refuse sizes below 1', () => {
    for (const bad of [0, -1, 1.5]) {
      expect(() => data.batch(bad)).toThrow(ConfigError)
      expect(() => data.shuffle(bad)).toThrow(ConfigError)
      expect(() => data.shard({ rank: 0, worldSize: bad })).toThrow(ConfigError)
    }
    expect(() => data.shard({ rank: 3, worldSize: 3 })).toThrow(/rank in \[0, 3\), got number 3/)
  })

  it('close what they read from when reading stops', async () => {
    let closed = 0
    class Closing extends data.Stream<number> {
      async next() {
        return { value: 1, random: new Random(0) }
      }
      state = () => ({})
      async restore() {}
      async close() {
        closed++
      }
    }
    for await (const _ of new Closing().through(data.batch(2))) break
    expect(closed).toBe(1)
  })
})

describe('mixingRates', () => {
  it('in proportion, limited, and tempered', () => {
    expect(data.mixingRates([1, 3])).toEqual([0.25, 0.75])
    expect(data.mixingRates([100, 1e9], { limit: 300 })).toEqual([0.25, 0.75])
    expect(data.mixingRates([100, 400], { scales: [1, 0.75] })).toEqual([0.25, 0.75])
    expect(data.mixingRates([1, 9], { temperature: 2 })).toEqual([0.25, 0.75])
    // The limit comes before the temperature: (min(16, 9))^½ : 1.
    expect(data.mixingRates([16, 1], { temperature: 2, limit: 9 })).toEqual([0.75, 0.25])
    const equal = data.mixingRates([1, 1e6], { temperature: 1e6 })
    expect(equal[0]).toBeCloseTo(0.5, 4)
    // The sizes of GLUE's tasks at K = 2^16: three of them are cut.
    const glue = [8551, 67349, 3668, 363849, 5749, 392702, 104743, 2490]
    const total = 8551 + 65536 + 3668 + 65536 + 5749 + 65536 + 65536 + 2490
    expect(data.mixingRates(glue, { limit: 65536 })[3]).toBeCloseTo(65536 / total, 12)
  })

  it('refuses what gives no rates', () => {
    for (const [sizes, options] of [
      [[], {}],
      [[0, 0], {}],
      [[-1, 2], {}],
      [[Number.NaN], {}],
      [[Infinity], {}],
      [[1], { limit: 0 }],
      [[1], { temperature: 0 }],
      [[1], { scales: [1, 2] }],
    ] as const) {
      expect(() => data.mixingRates(sizes, options)).toThrow(ConfigError)
    }
  })
})

describe('mix', () => {
  const named = (name: string, n = Infinity) =>
    data.sample(data.datasetOf([name]), { epochs: n, shuffle: false }) as data.Stream<string>

  it('draws from sources by their rates, 10⁵ times', async () => {
    const sizes = [1000, 8000, 64_000]
    for (const options of [{}, { limit: 10_000 }, { temperature: 3 }]) {
      const rates = data.mixingRates(sizes, options)
      const mixed = data.mix(
        ['a', 'b', 'c'].map((name, i) => ({ stream: named(name), rate: rates[i] as number })),
        { seed: 2 },
      )
      const counts = new Map<string, number>()
      const n = 100_000
      for (let i = 0; i < n; i++) {
        const { value } = (await mixed.next()) as data.Item<string>
        counts.set(value, (counts.get(value) ?? 0) + 1)
      }
      for (const [i, name] of ['a', 'b', 'c'].entries()) expectRate(counts.get(name) as number, n, rates[i] as number)
    }
  })

  it('leaves ended sources out, and never draws those of rate 0', async () => {
    const sources = [
      { stream: named('a', 5), rate: 1 },
      { stream: named('never'), rate: 0 },
      { stream: named('b', 2), rate: 9 },
    ]
    const values = await valuesOf(data.mix(sources))
    expect(values.toSorted()).toEqual(['a', 'a', 'a', 'a', 'a', 'b', 'b'])
  })

  it('gives equal items of different sources other random numbers', async () => {
    const sources = [0, 1].map(() => ({ stream: inOrder(1), rate: 1 }))
    const [first, second] = await valuesOf(data.mix(sources).through(drawn))
    expect(first?.[0]).toBe(second?.[0])
    expect(first?.[1]).not.toBe(second?.[1])
  })

  it('goes on where it was left, also after a source has ended', async () => {
    const make = () =>
      data.mix(
        [
          { stream: inOrder(4), rate: 3 },
          { stream: inOrder(9, { seed: 1 }).through(data.shuffle(4)), rate: 1 },
        ],
        { seed: 3 },
      )
    await expectResumable(() => make().through(drawn))
    await expect(data.mix([{ stream: inOrder(1), rate: 1 }]).restore(make().state())).rejects.toThrow(DataError)
  })

  it('refuses rates that are no rates', () => {
    for (const rates of [[], [0], [-1, 2], [Number.NaN], [Infinity]]) {
      expect(() => data.mix(rates.map((rate) => ({ stream: named('a'), rate })))).toThrow(ConfigError)
    }
  })
})
