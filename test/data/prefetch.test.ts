import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ConfigError, DataError, data } from '../../lib/index.ts'
import { expectResumable, valuesOf } from './streams.ts'

const numbers = (n: number) => data.sample(data.datasetOf([...Array(n).keys()]), { shuffle: false })

describe('prefetch', () => {
  it('gives the same items, and goes on where it was left', async () => {
    expect(await valuesOf(data.prefetch(numbers(7), 3))).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(await valuesOf(data.prefetch(numbers(2), 5))).toEqual([0, 1])
    for (const ahead of [1, 4]) {
      await expectResumable(() => data.prefetch(numbers(9).through(data.shuffle(4)).through(data.batch(2)), ahead))
    }
  })

  it('reads ahead, so far and no further, one at a time', async () => {
    let [read, under, most] = [0, 0, 0]
    const slow = data.map(async (value: number) => {
      most = Math.max(most, ++under)
      read++
      await setTimeout(1)
      under--
      return value
    })
    const stream = data.prefetch(numbers(50).through(slow), 4)
    await stream.next()
    await setTimeout(100)
    expect([read, most]).toEqual([5, 1])
    await stream.close()
    await setTimeout(20)
    expect(read).toBe(5)
  })

  it('hands errors on in their turn', async () => {
    const failing = data.map((value: number) => {
      if (value === 2) throw new DataError('data: expected anything but 2, got 2')
      return value
    })
    const stream = data.prefetch(numbers(9).through(failing), 5)
    expect((await stream.next())?.value).toBe(0)
    await setTimeout(20)
    expect((await stream.next())?.value).toBe(1)
    await expect(stream.next()).rejects.toThrow(/got 2/)
    await stream.close()
  })

  it('refuses numbers below 1', () => {
    for (const bad of [0, 1.5, Infinity]) expect(() => data.prefetch(numbers(1), bad)).toThrow(ConfigError)
  })
})
