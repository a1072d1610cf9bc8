// The best spans of a window of context, with Hugging Face's rules.
import { softmax, topIndices } from './scores.ts'

/** Logits of the tokens of a window. */
export interface WindowLogits {
  readonly start: ArrayLike<number>
  readonly end: ArrayLike<number>
  /** Which tokens are of the context. */
  readonly isContext: readonly boolean[]
  /** Tokens beside the context that take a share of its probability: the classification token, where there is one. */
  readonly nullTokens: readonly number[]
}

/** Tokens [start, end] of a window. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly score: number
}

/** The `count` best spans of at most `maxLength` tokens, best first, and the score of "no answer". */
export function bestSpans(
  window: WindowLogits,
  count: number,
  maxLength: number,
): { readonly spans: readonly Span[]; readonly nullScore: number } {
  const counts = (i: number) => window.isContext[i] || window.nullTokens.includes(i)
  const probabilities = (logits: ArrayLike<number>) =>
    softmax(Array.from(window.isContext, (_, i) => (counts(i) ? (logits[i] as number) : Number.NEGATIVE_INFINITY)))
  const [start, end] = [probabilities(window.start), probabilities(window.end)]
  const candidates: Span[] = []
  for (let s = 0; s < start.length; s++) {
    if (!window.isContext[s]) continue
    for (let e = s; e < Math.min(s + maxLength, end.length); e++) {
      if (window.isContext[e]) candidates.push({ start: s, end: e, score: (start[s] as number) * (end[e] as number) })
    }
  }
  const scores = candidates.map(({ score }) => score)
  return {
    spans: topIndices(scores, count).map((i) => candidates[i] as Span),
    nullScore: counts(0) ? (start[0] as number) * (end[0] as number) : 0,
  }
}
