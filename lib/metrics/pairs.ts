import { DataError } from '../errors.ts'

/** @internal Predictions with their references. @throws {DataError} unless there are as many, and at least one. */
export function zip<P, R>(metric: string, predictions: ArrayLike<P>, references: ArrayLike<R>): (readonly [P, R])[] {
  if (predictions.length !== references.length || predictions.length === 0) {
    throw new DataError(
      `${metric}: expected as many predictions as references, at least one, got ${predictions.length} and ${references.length}`,
    )
  }
  return Array.from({ length: predictions.length }, (_, i) => [predictions[i] as P, references[i] as R] as const)
}

/** @internal */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** @internal How often each item occurs. */
export function countsOf<T>(items: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

/** @internal How many items two bags have in common. */
export function overlap<T>(a: ReadonlyMap<T, number>, b: ReadonlyMap<T, number>): number {
  let sum = 0
  for (const [item, count] of a) sum += Math.min(count, b.get(item) ?? 0)
  return sum
}

/** @internal Harmonic mean of precision and recall, from hits; 0 where there is nothing. */
export function f1Of(hits: number, predicted: number, expected: number): number {
  return predicted + expected === 0 ? 0 : (2 * hits) / (predicted + expected)
}
