import { describe, expect, test } from 'vitest'
import { ConfigError, ops, Tensor } from '../../lib/index.ts'
import { philox } from '../reference/philox.ts'

describe('the reference generator', () => {
  // The known answers published with the authors' Random123 library.
  test.each([
    [0n, [0n, 0n, 0n, 0n], ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']],
    [
      0xffffffffffffffffn,
      [0xffffffffn, 0xffffffffn, 0xffffffffn, 0xffffffffn],
      ['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd'],
    ],
    [
      0x299f31d0a4093822n,
      [0x243f6a88n, 0x85a308d3n, 0x13198a2en, 0x03707344n],
      ['d16cfe09', '94fdcceb', '5001e420', '24126ea1'],
    ],
  ] as const)('key %s', (key, counter, words) => {
    expect(philox(key, counter).map((word) => word.toString(16).padStart(8, '0'))).toEqual(words)
  })
})

describe('dropout', () => {
  test('drops about p of the elements, and others for another site', async () => {
    const x = Tensor.ones([1000, 100])
    const a = await ops.dropout(x, { dropoutP: 0.1, seed: 1, site: 1 }).data()
    const b = await ops.dropout(x, { dropoutP: 0.1, seed: 1, site: 2 }).data()
    const share = (data: ArrayLike<number>) => Array.from(data).filter((v) => v === 0).length / data.length
    expect(share(a)).toBeCloseTo(0.1, 2)
    expect(Array.from(a)).not.toEqual(Array.from(b))
    expect(Array.from(a).reduce((sum, v) => sum + v, 0) / a.length).toBeCloseTo(1, 2)
  })

  test('a dropped element is 0 whatever it was', async () => {
    const x = Tensor.from([Infinity, -Infinity, NaN])
    expect(Array.from(await ops.dropout(x, { dropoutP: 1 }).data())).toEqual([0, 0, 0])
  })

  test.each([{ dropoutP: 1.5 }, { dropoutP: -0.1 }, { dropoutP: NaN }, { seed: -1 }, { site: 2 ** 32 }, { step: 0.5 }])(
    'refuses %o',
    (options) => expect(() => ops.dropout(Tensor.ones([3]), options)).toThrow(ConfigError),
  )
})
