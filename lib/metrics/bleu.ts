import { DataError } from '../errors.ts'
import { countsOf, overlap, zip } from './pairs.ts'

const tokenizers = {
  /** Of WMT's mteval-v13a: ASCII punctuation apart, but for full stops, commas and dashes within numbers. */
  '13a': (text: string) =>
    ` ${decodeEntities(text.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' '))} `
      .replace(/[ -&(-+:-@/[-`{-~]/g, ' $& ')
      .replace(/([^0-9])([.,])/g, '$1 $2 ')
      .replace(/([.,])([^0-9])/g, ' $1 $2')
      .replace(/([0-9])-/g, '$1 - '),
  /** Of mteval-v14: all of Unicode's punctuation and symbols apart, but for punctuation within numbers. */
  intl: (text: string) =>
    text
      .replace(/(\P{N})(\p{P})/gu, '$1 $2 ')
      .replace(/(\p{P})(\P{N})/gu, ' $1 $2')
      .replace(/\p{S}/gu, ' $& '),
  char: (text: string) => [...text].join(' '),
  none: (text: string) => text,
} as const

function decodeEntities(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>')
}

export interface BleuOptions {
  /** How texts are cut into words; T5's papers use 'intl'. @default '13a' */
  readonly tokenize?: keyof typeof tokenizers
  /** @default false */
  readonly lowercase?: boolean
}

export interface BleuScore {
  /** From 0 to 100. */
  readonly score: number
  /** Of 1 to 4 words, in percent. */
  readonly precisions: readonly number[]
  readonly brevityPenalty: number
  /** Words of the predictions, and of the references that are closest in length. */
  readonly length: number
  readonly referenceLength: number
  /** What the score was computed with, as sacreBLEU, whose results these are, would write it. */
  readonly signature: string
}

const orders = [1, 2, 3, 4] as const
/** Of sacreBLEU, whose scores are the same. */
const version = '2.6.0'

/**
 * BLEU of a corpus, with sacreBLEU's exponential smoothing.
 *
 * @param references for each prediction one or more texts, the same number everywhere.
 * @see Papineni et al. 2002; Post 2018, A Call for Clarity in Reporting BLEU Scores. https://arxiv.org/abs/1804.08771
 */
export function bleu(
  predictions: readonly string[],
  references: readonly (readonly string[])[],
  { tokenize = '13a', lowercase = false }: BleuOptions = {},
): BleuScore {
  const pairs = zip('bleu', predictions, references)
  const perText = references[0]?.length ?? 0
  if (perText === 0 || references.some((texts) => texts.length !== perText)) {
    throw new DataError('bleu: expected references for each prediction, as many everywhere, got others')
  }
  const words = (text: string) => {
    const line = text.trimEnd()
    return tokenizers[tokenize](lowercase ? line.toLowerCase() : line)
      .split(/\s+/)
      .filter(Boolean)
  }
  const hits = orders.map(() => 0)
  const totals = orders.map(() => 0)
  let [length, referenceLength] = [0, 0]
  for (const [prediction, texts] of pairs) {
    const own = words(prediction)
    const others = texts.map(words)
    length += own.length
    referenceLength += closest(
      own.length,
      others.map((other) => other.length),
    )
    for (const [i, n] of orders.entries()) {
      hits[i] = (hits[i] as number) + overlap(ngrams(own, n), mostOf(others.map((other) => ngrams(other, n))))
      totals[i] = (totals[i] as number) + Math.max(0, own.length - n + 1)
    }
  }
  const precisions = smoothed(hits, totals)
  const brevityPenalty = length >= referenceLength ? 1 : length === 0 ? 0 : Math.exp(1 - referenceLength / length)
  const isZero = precisions.includes(0) || hits.every((n) => n === 0)
  const logMean = precisions.reduce((sum, precision) => sum + Math.log(precision), 0) / orders.length
  const signature = `nrefs:${perText}|case:${lowercase ? 'lc' : 'mixed'}|eff:no|tok:${tokenize}|smooth:exp|version:${version}`
  const score = isZero ? 0 : brevityPenalty * Math.exp(logMean)
  return { score, precisions, brevityPenalty, length, referenceLength, signature }
}

/** Percent; each order without a hit counts half as much as the one before would have. */
function smoothed(hits: readonly number[], totals: readonly number[]): number[] {
  let share = 1
  return hits.map((n, i) => {
    const total = totals[i] as number
    if (total === 0) return 0
    if (n > 0) return (100 * n) / total
    share /= 2
    return (100 * share) / total
  })
}

function ngrams(words: readonly string[], n: number): Map<string, number> {
  // Words hold no spaces.
  return countsOf(Array.from({ length: Math.max(0, words.length - n + 1) }, (_, i) => words.slice(i, i + n).join(' ')))
}

/** The largest of each count. */
function mostOf(bags: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const most = new Map<string, number>()
  for (const bag of bags) for (const [key, count] of bag) most.set(key, Math.max(count, most.get(key) ?? 0))
  return most
}

/** Of two that are equally close, the shorter. */
function closest(length: number, lengths: readonly number[]): number {
  return lengths.reduce((best, other) => {
    const [a, b] = [Math.abs(other - length), Math.abs(best - length)]
    return a < b || (a === b && other < best) ? other : best
  })
}
