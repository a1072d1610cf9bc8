import { ConfigError, DataError, DTypeError, describe } from '../errors.ts'

/** What a value of an option may be. */
export interface Check {
  readonly expected: string
  valid(value: unknown): boolean
}

export type OptionChecks<Options> = { readonly [K in keyof Required<Options>]: Check }

export const flag: Check = { expected: 'a boolean', valid: (x) => typeof x === 'boolean' }
export const text: Check = { expected: 'a text', valid: (x) => typeof x === 'string' }
export const signal: Check = { expected: 'an AbortSignal', valid: (x) => x instanceof AbortSignal }
export const share: Check = {
  expected: 'a number in [0, 1]',
  valid: (x) => typeof x === 'number' && x >= 0 && x <= 1,
}

export const integer = (least: number): Check => ({
  expected: `an integer >= ${least}`,
  valid: (x) => Number.isSafeInteger(x) && (x as number) >= least,
})

export const choice = <T extends string>(...all: readonly T[]): Check => ({
  expected: all.join(', '),
  valid: (x) => all.includes(x as T),
})

export const texts: Check = {
  expected: 'a list of texts',
  valid: (x) => Array.isArray(x) && x.every(text.valid),
}

export const either = (a: Check, b: Check): Check => ({
  expected: `${a.expected} or ${b.expected}`,
  valid: (x) => a.valid(x) || b.valid(x),
})

export const none: Check = { expected: 'null', valid: (x) => x === null }

/** The check of a task whose options are all in a table. */
export function checkedBy<Options>(checks: OptionChecks<Options>): (op: string, options: object) => void {
  return (op, options) => expectOptions(op, options, checks)
}

/** @throws {ConfigError} for an option that is unknown, or out of its range. */
export function expectOptions(op: string, options: object, checks: Readonly<Record<string, Check>>): void {
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (!check) {
      const known = Object.keys(checks).join(', ')
      throw new ConfigError(`${op}: expected options ${known}, got ${name}`)
    }
    if (value !== undefined && !check.valid(value)) {
      throw new ConfigError(`${op}: expected ${name} to be ${check.expected}, got ${describe(value)}`)
    }
  }
}

/**
 * @throws {DTypeError} for what is no string.
 * @throws {DataError} for an empty one.
 */
export function textOf(op: string, value: unknown, name = 'a text'): string {
  if (typeof value !== 'string') throw new DTypeError(`${op}: expected ${name}, got ${describe(value)}`)
  if (value === '') throw new DataError(`${op}: expected ${name} that is not empty, got an empty string`)
  return value
}
