import { DataError } from '../errors.ts'
import { countsOf, f1Of, mean, zip } from './pairs.ts'

/** A class: its number or its name. */
export type Label = number | string

/** Share of predictions that are right. */
export function accuracy(predictions: ArrayLike<Label>, references: ArrayLike<Label>): number {
  return mean(zip('accuracy', predictions, references).map(([p, r]) => Number(p === r)))
}

/** F1 of one class against all others; 0 where it is neither predicted nor there. @param positive the class. @default 1 */
export function f1(predictions: ArrayLike<Label>, references: ArrayLike<Label>, positive: Label = 1): number {
  return f1OfClass(zip('f1', predictions, references), positive)
}

/** Mean of the F1 of all classes that are predicted or there. */
export function macroF1(predictions: ArrayLike<Label>, references: ArrayLike<Label>): number {
  const pairs = zip('macroF1', predictions, references)
  return mean([...new Set(pairs.flat())].map((label) => f1OfClass(pairs, label)))
}

function f1OfClass(pairs: readonly (readonly [Label, Label])[], label: Label): number {
  const count = (holds: (p: Label, r: Label) => boolean) => pairs.filter(([p, r]) => holds(p, r)).length
  return f1Of(
    count((p, r) => p === label && r === label),
    count((p) => p === label),
    count((_, r) => r === label),
  )
}

/**
 * Matthews' correlation of two or more classes; 0 where all predictions or all references are of one.
 *
 * @see Gorodkin 2004, Comparing two K-category assignments by a K-category correlation coefficient.
 */
export function matthews(predictions: ArrayLike<Label>, references: ArrayLike<Label>): number {
  const pairs = zip('matthews', predictions, references)
  const predicted = countsOf(pairs.map(([p]) => p))
  const there = countsOf(pairs.map(([, r]) => r))
  const total = pairs.length
  const right = pairs.filter(([p, r]) => p === r).length
  const dot = (a: ReadonlyMap<Label, number>, b: ReadonlyMap<Label, number>) =>
    [...a].reduce((sum, [label, count]) => sum + count * (b.get(label) ?? 0), 0)
  const spread = (counts: ReadonlyMap<Label, number>) => total ** 2 - dot(counts, counts)
  const scale = Math.sqrt(spread(predicted) * spread(there))
  return scale === 0 ? 0 : (right * total - dot(predicted, there)) / scale
}

/**
 * Area under the ROC curve: how often a positive scores above a negative, where equals count half.
 *
 * @param references 1 for positives, 0 for negatives.
 * @throws {DataError} unless both are there.
 */
export function auc(scores: ArrayLike<number>, references: ArrayLike<number>): number {
  const pairs = zip('auc', scores, references)
  const ranks = ranksOf(pairs.map(([score]) => score))
  const positives = pairs.filter(([, r]) => r === 1).length
  const negatives = pairs.filter(([, r]) => r === 0).length
  if (positives === 0 || negatives === 0 || positives + negatives < pairs.length) {
    throw new DataError(
      `auc: expected references of 0 and 1, got ${positives} of 1 and ${negatives} of 0 of ${pairs.length}`,
    )
  }
  const sum = pairs.reduce((total, [, r], i) => (r === 1 ? total + (ranks[i] as number) : total), 0)
  return (sum - (positives * (positives + 1)) / 2) / (positives * negatives)
}

/** @internal Ranks from 1; equals share the mean of theirs. */
export function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number))
  const ranks = new Array<number>(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && values[order[to] as number] === values[order[from] as number]) to++
    for (let i = from; i < to; i++) ranks[order[i] as number] = (from + to + 1) / 2
    from = to
  }
  return ranks
}
