import { expect } from 'vitest'

/** Expects a count of n independent draws within five standard deviations of what probability p says. */
export function expectRate(count: number, n: number, p: number): void {
  expect(Math.abs(count - n * p), `${count} of ${n} at ${p}`).toBeLessThanOrEqual(5 * Math.sqrt(n * p * (1 - p)))
}

/** Expects a mean of n independent draws within five standard errors; `deviation` is that of one draw. */
export function expectMean(sum: number, n: number, mean: number, deviation: number): void {
  expect(Math.abs(sum / n - mean), `mean ${sum / n} of ${n}, not ${mean}`).toBeLessThanOrEqual(
    5 * (deviation / Math.sqrt(n)),
  )
}
