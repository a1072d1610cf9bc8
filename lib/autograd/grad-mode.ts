import { refusePromise } from '../scope.ts'

let enabled = true

/** @internal Whether ops record a tape. */
export function gradEnabled(): boolean {
  return enabled
}

/** @internal Runs `fn` with recording on or off. */
export function withGrad<R>(on: boolean, op: string, fn: () => R): R {
  const before = enabled
  enabled = on
  try {
    const result = fn()
    refusePromise(op, result)
    return result
  } finally {
    enabled = before
  }
}

/**
 * Runs `fn` without recording a tape: results have no gradient, and nothing is saved for backward.
 *
 * @throws {StateError} if `fn` returns a promise.
 */
export function noGrad<R>(fn: () => R): R {
  return withGrad(false, 'noGrad', fn)
}
