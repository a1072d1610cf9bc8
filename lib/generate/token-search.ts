import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import type { DecoderState } from './model.ts'
import { type Found, queued, type Run, read } from './run.ts'
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
 * @param state with a row for each of `sequences`.
 */
export async function* tokenSearch(
  run: Run,
  state: DecoderState,
  sequences: readonly Sequence[],
): AsyncGenerator<TokenStep, Found> {
  const steps = new Steps(run, state, sequences.length)
  let active = sequences
  while (active.length > 0) {
    run.signal?.throwIfAborted()
    const choice = (scores: Tensor) => ({ ids: choose(scores, run, steps.count, active) })
    const values = await read(queued(state, () => steps.queueBest(active) ?? steps.queue(active, choice)))
    const tokens = values.ids as Int32Array
    steps.record(values, active)
    active.forEach((sequence, i) => {
      sequence.push(tokens[i] as number)
    })
    yield { rows: Int32Array.from(active, ({ row }) => row), tokens }
    const going = await goingOn(run, active)
    if (going.length === active.length) continue
    state.select(going)
    active = going.map((i) => active[i] as Sequence)
  }
  return { sequences: sequences.map(({ ids }) => ids), ...steps.recorded }
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
