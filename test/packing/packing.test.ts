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

  test('a mask of another size is refused', () => {
    expect(() => Packing.fromMask([1, 1], 2, 3)).toThrow(/expected a mask of 2 x 3 values, got Array\(2\)/)
  })
})
