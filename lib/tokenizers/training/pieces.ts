import { filter, largest } from './largest.ts'
import { Lattice } from './lattice.ts'
import { pruned } from './pruning.ts'
import type { Slices } from './slices.ts'
import { type SpeltWords, textAt } from './spelt-words.ts'
import { repeatedSubstrings, type Substrings } from './substrings.ts'

/** @internal */
export interface PieceSettings {
  /** Pieces to be left, where there are as many. */
  readonly size: number
  readonly maxPieceLength: number
  readonly seedSize: number
  readonly shrinkingFactor: number
  readonly nSubIterations: number
}

/** @internal A piece and its log-probability. */
export type ScoredPiece = readonly [piece: string, score: number]

/** Pieces that are expected less often are given up, as in SentencePiece. */
const minExpected = 0.5

/** Rounds leave this many times the wanted pieces to the last one, since they give up rare ones besides. */
const margin = 1.1

/**
 * @internal Pieces learnt from words: expectation maximization, which begins with repeated substrings and gives up those
 * that matter least, round by round. The most likely come first. Single characters all stay.
 */
export async function learnPieces(words: SpeltWords, settings: PieceSettings, slices: Slices): Promise<ScoredPiece[]> {
  const { size, maxPieceLength, seedSize, shrinkingFactor, nSubIterations } = settings
  const substrings = await repeatedSubstrings(words, maxPieceLength, slices)
  const { lengths } = substrings
  const weights = await weightsOf(substrings, slices)
  let pieces = await seedsOf(substrings, weights, seedSize, slices)
  const lattice = await Lattice.build(words, substrings, pieces, slices)
  const scores = new Float64Array(lengths.length)
  await setScores(scores, pieces, weights, Math.log, slices)

  const keep = async (kept: Int32Array) => {
    pieces = kept
    await lattice.retain(pieces, slices)
  }
  const prune = async (count: number) => keep(await pruned(lattice, substrings, pieces, scores, count, slices))
  const maximize = async (least: number) => {
    for (let i = 0; i < nSubIterations; i++) {
      const expected = await lattice.expectedCounts(scores, slices)
      await keep(await filter(pieces, (p) => (expected[p] as number) >= least || lengths[p] === 1, slices))
      await setScores(scores, pieces, expected, digamma, slices)
    }
  }

  const most = Math.ceil(margin * size)
  await maximize(minExpected)
  while (pieces.length > most) {
    await prune(Math.max(most, Math.floor(shrinkingFactor * pieces.length)))
    await maximize(minExpected)
  }
  if (pieces.length > size) {
    await prune(size)
    await maximize(0)
  }
  return scored(words, substrings, pieces, scores)
}

/** Characters that each substring stands for in all words. */
async function weightsOf({ counts, lengths }: Substrings, slices: Slices): Promise<Float64Array> {
  const weights = new Float64Array(counts.length)
  await slices.eachRange(0, weights.length, (from, to) => {
    for (let i = from; i < to; i++) weights[i] = (counts[i] as number) * (lengths[i] as number)
  })
  return weights
}

/** All characters, and the substrings that stand for most. */
async function seedsOf({ lengths }: Substrings, weights: Float64Array, count: number, slices: Slices) {
  const all = new Int32Array(lengths.length)
  await slices.eachRange(0, all.length, (from, to) => {
    for (let i = from; i < to; i++) all[i] = i
  })
  const longer = await filter(all, (i) => (lengths[i] as number) > 1, slices)
  const chosen = new Uint8Array(all.length)
  for (const i of await largest(longer, weights, count, slices)) chosen[i] = 1
  return filter(all, (i) => chosen[i] === 1 || lengths[i] === 1, slices)
}

/**
 * Log-probabilities of pieces from how often they are expected. With ψ for ln, as variational Bayes has it, rare pieces
 * get less than their share: the M-step.
 */
async function setScores(
  scores: Float64Array,
  pieces: Int32Array,
  counts: Float64Array,
  log: (count: number) => number,
  slices: Slices,
): Promise<void> {
  let total = 0
  await slices.eachRange(0, pieces.length, (from, to) => {
    for (const piece of pieces.subarray(from, to)) {
      const count = Math.max(counts[piece] as number, minExpected)
      scores[piece] = log(count)
      total += count
    }
  })
  const logTotal = log(total)
  await slices.eachRange(0, pieces.length, (from, to) => {
    for (const piece of pieces.subarray(from, to)) scores[piece] = (scores[piece] as number) - logTotal
  })
}

/** ψ, the derivative of ln Γ: its recurrence up to 6, then its asymptotic series. */
function digamma(x: number): number {
  let [sum, y] = [0, x]
  for (; y < 6; y++) sum -= 1 / y
  const r = 1 / (y * y)
  return sum + Math.log(y) - 0.5 / y - r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r / 240)))
}

function scored(words: SpeltWords, substrings: Substrings, pieces: Int32Array, scores: Float64Array): ScoredPiece[] {
  const { order, begins, lengths } = substrings
  const list = Array.from(pieces, (piece): ScoredPiece => {
    const text = textAt(words, order[begins[piece] as number] as number, lengths[piece] as number)
    return [text, scores[piece] as number]
  })
  return list.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
}
