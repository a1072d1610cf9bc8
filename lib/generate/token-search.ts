import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import type { DecoderState } from './model.ts'
import { type Found, Pending, queued, type Run } from './run.ts'
import type { Sequence } from './sequence.ts'
import { Steps } from './steps.ts'

/** Tokens that a step found: sequence rows[i] goes on with tokens[i]. A row may come more than once, in order. */
export interface TokenStep {
  readonly rows: Int32Array
  readonly tokens: Int32Array
}

/**
 * Greedy search, and sampling: takes each row's best token, or draws one, until all rows have ended. Rows that end leave the
 * decoder, so that the others do not wait for them.
 *
 * Where the best tokens are all that a step needs of the one before, it is queued before they are read: the device does not
 * wait for this thread. A row that turns out to have ended was then fed once too often.
 *
 * @param state with a row for each of `sequences`.
 */
export async function* tokenSearch(
  run: Run,
  state: DecoderState,
  sequences: readonly Sequence[],
): AsyncGenerator<TokenStep, Found> {
  const steps = new Steps(run, state, sequences.length)
  const launch = (rows: readonly Sequence[]): Launched => {
    const choice = (scores: Tensor) => ({ ids: choose(scores, run, steps.count, rows) })
    return { rows, step: new Pending(queued(state, () => steps.queueBest(rows) ?? steps.queue(rows, choice))) }
  }
  const launchAfter = ({ rows, step }: Launched): Launched | null => {
    const next = queued(state, () => steps.queueBestAfter(rows, step.tensors.ids))
    return next && { rows, step: new Pending(next) }
  }
  let active = sequences
  let ahead: Launched | null = null
  try {
    while (active.length > 0) {
      run.signal?.throwIfAborted()
      const launched: Launched = ahead ?? launch(active)
      const { rows } = launched
      using step = launched.step
      ahead = rows.length === active.length ? launchAfter(launched) : null
      const values = await step.values
      steps.record(values, active)
      const tokens = Int32Array.from(active, (sequence) => values.ids?.[rows.indexOf(sequence)] as number)
      active.forEach((sequence, i) => {
        sequence.push(tokens[i] as number)
      })
      yield { rows: Int32Array.from(active, ({ row }) => row), tokens }
      const going = await goingOn(run, active)
      active = going.map((i) => active[i] as Sequence)
      // What was queued ahead has all rows; the decoder lets go of those that ended after it.
      const kept = active.map((sequence) => rows.indexOf(sequence))
      if (!ahead && kept.length < rows.length) queued(state, () => state.select(kept))
    }
  } finally {
    await ahead?.step.values.catch(() => {})
    ahead?.step[Symbol.dispose]()
  }
  return { sequences: sequences.map(({ ids }) => ids), ...steps.recorded }
}

/** A step of some rows. */
interface Launched {
  readonly rows: readonly Sequence[]
  readonly step: Pending<{ readonly ids: Tensor; readonly scores?: Tensor | null; readonly logits?: Tensor | null }>
}

function choose(scores: Tensor, { config, seed }: Run, step: number, rows: readonly Sequence[]): Tensor {
  if (!config.doSample) return ops.argmax(scores)
  // By the row of the output: what is drawn does not depend on which other rows have ended.
  const streams = Tensor.from(Int32Array.from(rows, ({ row }) => row))
  return ops.sampleCategorical(scores, { seed, step, streams })
}

/** Which of the rows have not ended. */
export async function goingOn({ stopping }: Run, rows: readonly Sequence[]): Promise<number[]> {
  const ended = await Promise.all(rows.map(({ ids, sentence }) => stopping.ends(ids, sentence)))
  return [...rows.keys()].filter((i) => !ended[i] && !stopping.exhausted((rows[i] as Sequence).ids.length))
}
