import { CheckpointError, describe } from '../errors.ts'

export type Json = Readonly<Record<string, unknown>>

/** @internal A value that is not what its file should hold there. */
export function malformed(file: string, expected: string, got: unknown): CheckpointError {
  return new CheckpointError(`tokenizer: expected ${expected} in ${file}, got ${describe(got)}`)
}

/** @internal */
export function parseJson(text: string, file: string): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new CheckpointError(`tokenizer: expected JSON in ${file}, got: ${(error as Error).message}`)
  }
  return objectOf(value, file, 'an object')
}

/** @internal */
export function objectOf(value: unknown, file: string, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw malformed(file, what, value)
}

/** @internal */
export function listOf(value: unknown, file: string, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw malformed(file, what, value)
}

/** @internal */
export function stringOf(value: unknown, file: string, what: string): string {
  if (typeof value === 'string') return value
  throw malformed(file, what, value)
}

/** @internal Ids and type ids: they must fit int32. */
export function idOf(value: unknown, file: string, what: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31) return value as number
  throw malformed(file, what, value)
}
