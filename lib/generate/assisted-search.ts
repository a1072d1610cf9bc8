import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import { LogitsContext } from './context.ts'
import type { Draft } from './draft.ts'
import type { DecoderState } from './model.ts'
import { applyProcessors } from './processors.ts'
import { Recorder } from './recorder.ts'
import { type Found, queued, type Run, read } from './run.ts'
import type { Sequence } from './sequence.ts'
import type { Stopping } from './stopping.ts'
import { goingOn, type TokenStep } from './token-search.ts'

/** A token that is chosen anew in a step: the scores after these ids of a sequence. */
interface Position {
  readonly sequence: Sequence
  readonly ids: Int32Array
}

/**
 * Greedy search that takes several tokens at a time: a draft guesses, the model computes the scores after each guessed
 * token in one step, and guesses are taken as far as they are its own best tokens. The ids are greedy search's, but for
 * differences of rounding between a step of one token and one of several.
 *
 * @param state with a row for each of `sequences`.
 * @param settings.most tokens of a guess; with `heuristic`, 2 more after a step that took all, 1 less after others.
 */
export async function* assistedSearch(
  run: Run,
  state: DecoderState,
  sequences: readonly Sequence[],
  draft: Draft,
  settings: { most: number; heuristic: boolean },
): AsyncGenerator<TokenStep, Found> {
  const recorder = new Recorder(run, sequences.length)
  let active = sequences
  let most = settings.most
  for (let first = true; active.length > 0; first = false) {
    run.signal?.throwIfAborted()
    const longest = active.reduce((length, sequence) => Math.max(length, sequence.length), 0)
    const guesses = await draft.propose(active, Math.min(most, run.maxLength - 1 - longest))
    const positions = active.map((sequence, i) => positionsOf(sequence, guesses[i] as ArrayLike<number>))
    const before = active.map(({ length }) => length)
    const values = await read(queued(state, () => check(run, state, positions, first ? 0 : 1, recorder)))
    const taken = await take(run, positions, values.ids as Int32Array)
    recorder.record(values, placesOf(run, positions, taken))
    yield tokensSince(active, before)
    if (settings.heuristic) most = taken.every((n, i) => n === positions[i]?.length) ? most + 2 : Math.max(1, most - 1)
    // Each row's newest token was not fed; what was guessed wrong is taken back.
    queued(state, () => state.truncate(active.map(({ length }) => length - 1)))
    draft.update(active)
    const going = await goingOn(run, active)
    if (going.length === active.length) continue
    queued(state, () => state.select(going))
    draft.select(going)
    active = going.map((i) => active[i] as Sequence)
  }
  return { sequences: sequences.map(({ ids }) => ids), ...recorder.recorded }
}

/** The sequence as it is, and after each token of the guess. */
function positionsOf(sequence: Sequence, guess: ArrayLike<number>): Position[] {
  const ids = new Int32Array(sequence.length + guess.length)
  ids.set(sequence.ids)
  ids.set(guess, sequence.length)
  return Array.from({ length: guess.length + 1 }, (_, n) => ({ sequence, ids: ids.subarray(0, sequence.length + n) }))
}

/** Queues the step: the model's best token at every position. @param unfed tokens of a sequence; 0: all of them. */
function check(run: Run, state: DecoderState, positions: readonly Position[][], unfed: number, recorder: Recorder) {
  const all = positions.flat()
  const fresh = positions.map((list) => {
    const [first, last] = [list[0] as Position, list.at(-1) as Position]
    return last.ids.subarray(unfed === 0 ? 0 : first.ids.length - unfed)
  })
  const logits = rowsAt(state.step(fresh, 'all'), positions, fresh)
  const context = new LogitsContext(
    all.map(({ ids }) => ids),
    all.map(({ sequence }) => sequence.sentence),
    1,
    run.promptLength,
  )
  const scores = applyProcessors(run.processors, logits, context)
  return { ids: ops.argmax(scores), ...recorder.wanted({ scores, logits }) }
}

/** Of logits after every token that was fed, those of the positions: the last ones of each row. */
function rowsAt(logits: Tensor, positions: readonly Position[][], fresh: readonly Int32Array[]): Tensor {
  let start = 0
  const rows = positions.flatMap((list, i) => {
    start += (fresh[i] as Int32Array).length
    return list.map((_, n) => start - list.length + n)
  })
  return rows.length === start ? logits : ops.gatherRows(logits, Tensor.from(Int32Array.from(rows)))
}

/** Lets the sequences grow. @returns how many positions of each row counted. */
async function take({ stopping }: Run, positions: readonly Position[][], chosen: Int32Array): Promise<number[]> {
  const taken: number[] = []
  let at = 0
  for (const list of positions) {
    taken.push(await takeRow(stopping, list, chosen.subarray(at, at + list.length)))
    at += list.length
  }
  return taken
}

async function takeRow(stopping: Stopping, positions: readonly Position[], tokens: Int32Array): Promise<number> {
  const { sequence } = positions[0] as Position
  for (let n = 0; ; n++) {
    sequence.push(tokens[n] as number)
    const next = positions[n + 1]
    const guessed = next !== undefined && next.ids[next.ids.length - 1] === tokens[n]
    if (!guessed || (await stopping.ends(sequence.ids, sequence.sentence))) return n + 1
  }
}

function placesOf({ promptLength }: Run, positions: readonly Position[][], taken: readonly number[]) {
  return positions.flatMap((list, i) =>
    list.map(({ sequence, ids }, n) =>
      n < (taken[i] as number) ? { row: sequence.row, token: ids.length - promptLength } : null,
    ),
  )
}

function tokensSince(rows: readonly Sequence[], before: readonly number[]): TokenStep {
  const fresh = rows.map(({ ids }, i) => ids.subarray(before[i]))
  return {
    rows: Int32Array.from(rows.flatMap(({ row }, i) => Array.from(fresh[i] as Int32Array, () => row))),
    tokens: Int32Array.from(fresh.flatMap((ids) => [...ids])),
  }
}
