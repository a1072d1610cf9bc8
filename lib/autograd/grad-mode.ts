import { refusePromise } from '../scope.ts'

let enabled = true
let inference = false

/** @internal Whether ops record a tape. */
export function gradEnabled(): boolean {
  return enabled
}

/** @internal Whether what runs is in `noGrad`, and so will not be run again for gradients, as a checkpoint's first pass is. */
export function inInference(): boolean {
  return inference
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
  const before = inference
  inference = true
  try {
    return withGrad(false, 'noGrad', fn)
  } finally {
    inference = before
  }
}
