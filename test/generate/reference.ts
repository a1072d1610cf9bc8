// Greedy and beam search in float64, from the rules: nothing shared with the library.
import type { FakeModel } from './fake-model.ts'

const end = 1
const pushedAside = -1e9

export function greedy(model: FakeModel, source: readonly number[], maxNewTokens: number): number[] {
  const ids = [0]
  while (ids.length <= maxNewTokens && ids.at(-1) !== end) {
    const logits = model.logitsOf(source, ids)
    ids.push(logits.indexOf(Math.max(...logits)))
  }
  return ids
}

export function logSoftmax(logits: ArrayLike<number>): number[] {
  const max = Math.max(...Array.from(logits))
  const lse = max + Math.log(Array.from(logits).reduce((sum, x) => sum + Math.exp(x - max), 0))
  return Array.from(logits, (x) => x - lse)
}

interface Hypothesis {
  ids: number[]
  score: number
  finished: boolean
}

export interface BeamSettings {
  readonly numBeams: number
  readonly maxNewTokens: number
  readonly lengthPenalty: number
  readonly earlyStopping: boolean | 'never'
}

const best = (list: readonly Hypothesis[], count: number) => [...list].sort((a, b) => b.score - a.score).slice(0, count)

function candidatesOf(model: FakeModel, source: readonly number[], running: readonly Hypothesis[]): Hypothesis[] {
  return running.flatMap(({ ids, score }) =>
    logSoftmax(model.logitsOf(source, ids)).map((p, token) => ({
      ids: [...ids, token],
      score: score + p,
      finished: token === end,
    })),
  )
}

function start(numBeams: number): Hypothesis[] {
  return Array.from({ length: numBeams }, (_, i) => ({ ids: [0], score: i === 0 ? 0 : pushedAside, finished: false }))
}

/** As Hugging Face writes it: a pool of fixed size, in which what has not finished counts −10⁹. */
export function beamSearch(model: FakeModel, source: readonly number[], settings: BeamSettings): Hypothesis[] {
  const { numBeams: b, maxNewTokens, lengthPenalty, earlyStopping } = settings
  let running = start(b)
  let pool: Hypothesis[] = Array.from({ length: b }, () => ({ ids: [], score: pushedAside, finished: false }))
  for (let length = 1; ; length++) {
    const top = best(candidatesOf(model, source, running), 2 * b)
    const ends = top.map(({ finished }) => finished || length === maxNewTokens)
    running = best(
      top.map((h, i) => ({ ...h, finished: false, score: ends[i] ? h.score + pushedAside : h.score })),
      b,
    )
    const entering = top.map((h, rank) => {
      const enters = ends[rank]! && rank < b
      return { ids: h.ids, score: h.score / length ** lengthPenalty + (enters ? 0 : pushedAside), finished: enters }
    })
    pool = best([...pool, ...entering], b)
    const full = pool.every(({ finished }) => finished)
    const hoped = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : length
    const worst = Math.min(...pool.map(({ score, finished }) => (finished ? score : pushedAside)))
    const improvable = running[0]!.score / hoped ** lengthPenalty > worst
    if (!improvable || (full && earlyStopping === true) || ends.every(Boolean)) return pool
  }
}

/** As Mesh TensorFlow writes it, the penalty ((5 + length) / 6)^alpha; null where it gives what still runs. */
export function t5BeamSearch(model: FakeModel, source: readonly number[], settings: BeamSettings): Hypothesis | null {
  const { numBeams: b, maxNewTokens, lengthPenalty: alpha } = settings
  const penalty = (length: number) => ((5 + length) / 6) ** alpha
  let alive = start(b)
  let finished: Hypothesis[] = []
  for (let length = 1; length <= maxNewTokens; length++) {
    const top = best(candidatesOf(model, source, alive), 2 * b)
    alive = top.filter((h) => !h.finished).slice(0, b)
    const ended = top.filter((h) => h.finished).map((h) => ({ ...h, score: h.score / penalty(length) }))
    finished = best([...finished, ...ended], b)
    const bound = alive[0]!.score / penalty(maxNewTokens)
    if (finished.length > 0 && finished.at(-1)!.score > bound) break
  }
  return finished[0] ?? null
}
