import { DataError, DTypeError, describe, IndexError, ShapeError } from '../errors.ts'

/** Numbers with a shape, row-major, as tokenizers give them. */
export interface NumberArray {
  readonly data: ArrayLike<number | bigint>
  readonly shape: readonly number[]
}

type Nested = readonly (number | Nested)[]

/** Numbers without a shape of their own. */
export type FlatArray = Int32Array | Uint8Array | Float32Array | Float64Array | BigInt64Array

/**
 * What models take for ids, masks and labels: nested arrays, flat data with a shape, or flat data alone where the shape
 * goes without saying: that of the ids.
 */
export type ArrayInput = Nested | NumberArray | FlatArray

/** Token ids, and what says their shape where they are flat: encodings of a tokenizer are such inputs. */
export interface IdInputs {
  /** (B, T) ids. */
  readonly inputIds: ArrayInput
  /** [B, T], for flat inputIds. */
  readonly shape?: readonly number[] | undefined
}

/** An input once it was checked. */
export interface IntegerGrid {
  readonly data: Int32Array
  readonly shape: readonly number[]
}

function nestedShape(op: string, name: string, value: Nested): number[] {
  const first = value[0]
  if (!Array.isArray(first)) return [value.length]
  const inner = nestedShape(op, name, first)
  for (const item of value) {
    const shape = Array.isArray(item) ? nestedShape(op, name, item) : []
    if (shape.join() !== inner.join()) {
      throw new ShapeError(
        `${op}: expected ${name} of rows of one length (pad them, with an attentionMask), got ragged ones`,
      )
    }
  }
  return [value.length, ...inner]
}

function isFlat(value: unknown): value is FlatArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
}

function flatten(op: string, name: string, value: unknown, expected: readonly (number | string)[]): NumberArray {
  if (isFlat(value)) {
    const size = expected.reduce<number>((product, n) => product * (typeof n === 'number' ? n : Number.NaN), 1)
    if (value.length === size) return { data: value, shape: expected as readonly number[] }
    throw new ShapeError(`${op}: expected ${name} (${expected.join(', ')}), got ${describe(value)} without a shape`)
  }
  if (Array.isArray(value)) {
    return { data: value.flat(Infinity) as number[], shape: nestedShape(op, name, value) }
  }
  if (typeof value === 'object' && value !== null && 'data' in value && 'shape' in value) {
    const { data, shape } = value as NumberArray
    const size = Array.isArray(shape) ? shape.reduce((product: number, n: number) => product * n, 1) : Number.NaN
    if (typeof data === 'object' && data !== null && data.length === size) return { data, shape }
    throw new ShapeError(`${op}: expected ${name} to have as many values as its shape says, got ${describe(data)}`)
  }
  throw new DTypeError(`${op}: expected ${name} as nested arrays or { data, shape }, got ${describe(value)}`)
}

function expectShape(op: string, name: string, shape: readonly number[], expected: readonly (number | string)[]): void {
  const fits = shape.length === expected.length && expected.every((n, i) => typeof n === 'string' || n === shape[i])
  if (!fits) throw new ShapeError(`${op}: expected ${name} (${expected.join(', ')}), got (${shape.join(', ')})`)
}

/**
 * Checks an input of integers.
 *
 * @param expected its shape; a name stands for any size.
 */
export function integers(
  op: string,
  name: string,
  value: unknown,
  expected: readonly (number | string)[],
): IntegerGrid {
  const { data, shape } = flatten(op, name, value, expected)
  expectShape(op, name, shape, expected)
  const result = new Int32Array(data.length)
  for (let i = 0; i < result.length; i++) {
    result[i] = Number(data[i])
    if (Number(data[i]) !== result[i]) {
      throw new DTypeError(`${op}: expected ${name} of 32-bit integers, got ${String(data[i])} at ${at(i, shape)}`)
    }
  }
  return { data: result, shape }
}

/** Checks the ids of a batch, (B, T). */
export function idsOf(op: string, { inputIds, shape }: IdInputs): IntegerGrid {
  const given = shape && isFlat(inputIds) ? { data: inputIds, shape } : inputIds
  return integers(op, 'inputIds', given, ['batch', 'length'])
}

/** Checks an input of any numbers. */
export function floats(
  op: string,
  name: string,
  value: unknown,
  expected: readonly (number | string)[],
): { data: Float32Array; shape: readonly number[] } {
  const { data, shape } = flatten(op, name, value, expected)
  expectShape(op, name, shape, expected)
  return { data: Float32Array.from(data as ArrayLike<number>, Number), shape }
}

function at(index: number, shape: readonly number[]): string {
  const place: number[] = []
  let rest = index
  for (let i = shape.length - 1; i >= 0; i--) {
    place.unshift(rest % (shape[i] as number))
    rest = Math.floor(rest / (shape[i] as number))
  }
  return `(${place.join(', ')})`
}

/** Inputs that hold ids of tokens: those out of range are mostly another tokenizer's. */
const tokenIds = /^(decoder|masked|replaced)?[iI]nputIds$/

/** @throws {IndexError} unless all values are in [0, limit), or equal to `except`. */
export function expectBelow(op: string, name: string, grid: IntegerGrid, limit: number, except?: number): void {
  grid.data.forEach((value, i) => {
    if ((value >= 0 && value < limit) || value === except) return
    const also = except === undefined ? '' : ` or ${except}`
    const hint = tokenIds.test(name) ? '; is the tokenizer the one of this model?' : ''
    throw new IndexError(`${op}: expected ${name} in [0, ${limit})${also}, got ${value} at ${at(i, grid.shape)}${hint}`)
  })
}

/** @throws {DataError} for a batch without a token. */
export function expectTokens(op: string, name: string, { data, shape }: IntegerGrid): void {
  if (data.length === 0)
    throw new DataError(
      `${op}: expected ${name} with at least one token (an empty text has special ones), got (${shape.join(', ')})`,
    )
}

/** Checks a mask of 0 and 1 of a grid's shape; all 1 where none is given. */
export function maskOf(op: string, name: string, value: unknown, shape: readonly number[]): Int32Array {
  if (value === undefined || value === null) {
    return new Int32Array(shape.reduce((product, n) => product * n, 1)).fill(1)
  }
  const mask = integers(op, name, value, shape)
  expectBelow(op, name, mask, 2)
  return mask.data
}

/** The values at the rows of a packing. */
export function packed(data: Int32Array, index: Int32Array): Int32Array {
  return index.map((i) => data[i] as number)
}
