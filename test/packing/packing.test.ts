import { describe, expect, test } from 'vitest'
import { Packing, ShapeError } from '../../lib/index.ts'

describe('Packing', () => {
  test('right padding disappears and positions stay implicit', () => {
    const packing = Packing.fromMask([1, 1, 1, 1, 1, 0], 2, 3)
    expect([...packing.index]).toEqual([0, 1, 2, 3, 4])
    expect([...packing.cuSeqlens]).toEqual([0, 3, 5])
    expect(packing.positions).toBeNull()
    expect(packing.keyRows).toBeNull()
    expect(packing.rows).toBe(5)
  })

  test('left padding and holes keep their positions', () => {
    const packing = Packing.fromMask([0, 1, 1, 1, 0, 1], 2, 3)
    expect([...packing.index]).toEqual([1, 2, 3, 5])
    expect([...(packing.positions as Int32Array)]).toEqual([1, 2, 0, 2])
    expect([...(packing.keyPositions as Int32Array)]).toEqual([1, 2, 0, 2])
  })

  test('masked rows that are read stay as query-only rows', () => {
    const packing = Packing.fromMask([0, 1, 1, 1, 1, 0], 2, 3, { keepMasked: true })
    expect(packing.rows).toBe(6)
    expect([...(packing.keyRows as Int32Array)]).toEqual([1, 2, 3, 4])
    expect([...packing.keyCuSeqlens]).toEqual([0, 2, 4])
    expect([...(packing.positions as Int32Array)]).toEqual([0, 1, 2, 0, 1, 2])
    expect([...(packing.keyPositions as Int32Array)]).toEqual([1, 2, 0, 1])
  })

  test('a fully masked sequence has no rows', () => {
    expect([...Packing.fromMask([0, 0, 1, 1], 2, 2).cuSeqlens]).toEqual([0, 0, 2])
  })

  test('lengths', () => {
    const packing = Packing.fromLengths([2, 0, 3])
    expect([...packing.cuSeqlens]).toEqual([0, 2, 2, 5])
    expect(packing.positions).toBeNull()
    expect(() => Packing.fromLengths([-1])).toThrow(ShapeError)
  })

  test.each([
    ['plain', { keepMasked: false }, [1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0]],
    ['with holes', { keepMasked: false }, [0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1]],
    ['with query-only rows', { keepMasked: (index: number) => index % 2 === 1 }, [0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0]],
  ])('a part is what its sequences alone are, %s', (_, options, mask) => {
    const whole = Packing.fromMask(mask, 4, 3, options)
    const inner = typeof options.keepMasked === 'function' ? (index: number) => (index + 3) % 2 === 1 : false
    const alone = Packing.fromMask(mask.slice(3, 9), 2, 3, { keepMasked: inner })
    const part = whole.part(1, 3)
    // Keys and positions may be spelt out although these sequences alone would not need it.
    const spelt = ({ keyRows, positions, rows, cuSeqlens }: Packing) => ({
      keyRows: Array.from(keyRows ?? Array.from({ length: rows }, (_, row) => row)),
      positions:
        positions?.slice() ?? Int32Array.from({ length: rows }, (_, row) => row - cuSeqlens.findLast((r) => r <= row)!),
    })
    const { keyRows, positions, ...rest } = alone
    expect(part).toMatchObject({ ...rest, keyRows: part.keyRows, positions: part.positions })
    expect(spelt(part)).toEqual(spelt(alone))
  })

  test('a mask of another size is refused', () => {
    expect(() => Packing.fromMask([1, 1], 2, 3)).toThrow(/expected a mask of 2 x 3 values, got Array\(2\)/)
  })
})
