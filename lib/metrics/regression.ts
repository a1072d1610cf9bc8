import { ranksOf } from './classification.ts'
import { mean, zip } from './pairs.ts'

/** Pearson's correlation; NaN where one of the two does not vary. */
export function pearson(predictions: ArrayLike<number>, references: ArrayLike<number>): number {
  const pairs = zip('pearson', predictions, references)
  const means = [mean(pairs.map(([p]) => p)), mean(pairs.map(([, r]) => r))] as const
  let [products, first, second] = [0, 0, 0]
  for (const [p, r] of pairs) {
    products += (p - means[0]) * (r - means[1])
    first += (p - means[0]) ** 2
    second += (r - means[1]) ** 2
  }
  return products / Math.sqrt(first * second)
}

/** Spearman's correlation: Pearson's of the ranks, which equals share. */
export function spearman(predictions: ArrayLike<number>, references: ArrayLike<number>): number {
  const pairs = zip('spearman', predictions, references)
  return pearson(ranksOf(pairs.map(([p]) => p)), ranksOf(pairs.map(([, r]) => r)))
}

/** exp of the mean loss a token. @param losses sums over the tokens of each text, in nats. @param tokens numbers of them. */
export function perplexity(losses: ArrayLike<number>, tokens: ArrayLike<number>): number {
  const pairs = zip('perplexity', losses, tokens)
  const sum = (of: 0 | 1) => pairs.reduce((total, pair) => total + pair[of], 0)
  return Math.exp(sum(0) / sum(1))
}
