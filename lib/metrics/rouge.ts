import { countsOf, f1Of, mean, overlap, zip } from './pairs.ts'

export interface RougeScores {
  /** Words in common. */
  readonly rouge1: number
  /** Pairs of words in common. */
  readonly rouge2: number
  /** Longest common subsequence of the whole texts. */
  readonly rougeL: number
  /** Of texts that are lines of sentences: for each of the reference's, what is in common with any of the prediction's. */
  readonly rougeLsum: number
}

/**
 * ROUGE of texts: the mean F1 of each kind, as a share. Words are runs of ASCII letters and digits in lower case, without
 * stemming; sentences are lines.
 *
 * @see Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries.
 */
export function rouge(predictions: readonly string[], references: readonly string[]): RougeScores {
  const pairs = zip('rouge', predictions, references)
  const average = (score: (prediction: string, reference: string) => number) =>
    mean(pairs.map((pair) => score(...pair)))
  return {
    rouge1: average((p, r) => ngramF1(wordsOf(p), wordsOf(r), 1)),
    rouge2: average((p, r) => ngramF1(wordsOf(p), wordsOf(r), 2)),
    rougeL: average((p, r) => sequenceF1(wordsOf(p), wordsOf(r))),
    rougeLsum: average((p, r) => summaryF1(sentencesOf(p), sentencesOf(r))),
  }
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? []
}

function sentencesOf(text: string): string[][] {
  return text.split('\n').map(wordsOf)
}

function ngramF1(prediction: readonly string[], reference: readonly string[], n: number): number {
  const ngrams = (words: readonly string[]) => words.slice(n - 1).map((_, i) => words.slice(i, i + n).join(' '))
  const [a, b] = [ngrams(prediction), ngrams(reference)]
  return f1Of(overlap(countsOf(a), countsOf(b)), a.length, b.length)
}

function sequenceF1(prediction: readonly string[], reference: readonly string[]): number {
  return f1Of(commonPlaces(reference, prediction).length, prediction.length, reference.length)
}

function summaryF1(prediction: readonly (readonly string[])[], reference: readonly (readonly string[])[]): number {
  const left = [countsOf(prediction.flat()), countsOf(reference.flat())] as const
  let hits = 0
  for (const sentence of reference) {
    const places = new Set(prediction.flatMap((other) => commonPlaces(sentence, other)))
    for (const place of places) {
      const word = sentence[place] as string
      // No word counts more often than either text has it.
      if (left.some((counts) => (counts.get(word) ?? 0) === 0)) continue
      for (const counts of left) counts.set(word, (counts.get(word) as number) - 1)
      hits++
    }
  }
  return f1Of(hits, prediction.flat().length, reference.flat().length)
}

/** Places in `a` of a longest common subsequence; of several, the one that comes last in `b`'s order of search. */
function commonPlaces(a: readonly string[], b: readonly string[]): number[] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1))
  const at = (i: number, j: number) => (lengths[i] as Int32Array)[j] as number
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const length = a[i - 1] === b[j - 1] ? at(i - 1, j - 1) + 1 : Math.max(at(i - 1, j), at(i, j - 1))
      ;(lengths[i] as Int32Array)[j] = length
    }
  }
  const places: number[] = []
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      places.unshift(i - 1)
      i--
      j--
    } else if (at(i, j - 1) > at(i - 1, j)) j--
    else i--
  }
  return places
}
