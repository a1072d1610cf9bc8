import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import { LogitsContext } from './context.ts'
import type { DecoderState } from './model.ts'
import { applyProcessors, bannedAlone } from './processors.ts'
import { Recorder, type StepTensors } from './recorder.ts'
import type { Found, Run } from './run.ts'

/** A row of the decoder: its ids so far, its sentence, and its place among the rows of the output's scores. */
export interface StepRow {
  readonly ids: Int32Array
  readonly sentence: number
  readonly row: number
}

/** Steps of one token: feeds the decoder, processes its logits, and keeps those that the run is to give. */
export class Steps {
  #count = 0
  readonly #recorder: Recorder

  /** @param rows of the output's scores. */
  constructor(
    private readonly run: Run,
    private readonly state: DecoderState,
    rows: number,
  ) {
    this.#recorder = new Recorder(run, rows)
  }

  /** Steps done. */
  get count(): number {
    return this.#count
  }

  /**
   * Queues a step.
   *
   * @param choose queues the choice of tokens from the scores, and returns what is to be read of it.
   * @param beams consecutive rows of a sentence.
   * @param prepare from logits to what is processed.
   */
  queue<T extends Readonly<Record<string, Tensor>>>(
    rows: readonly StepRow[],
    choose: (scores: Tensor) => T,
    { beams = 1, prepare = (logits) => logits }: { beams?: number; prepare?: (logits: Tensor) => Tensor } = {},
  ): T & { scores: Tensor | null; logits: Tensor | null } {
    const ids = rows.map((row) => row.ids)
    const sentences = rows.map((row) => row.sentence)
    const logits = this.state.step(this.#unfed(ids), 'last')
    const context = new LogitsContext(ids, sentences, beams, this.run.promptLength)
    const step: StepTensors = { logits, scores: applyProcessors(this.run.processors, prepare(logits), context) }
    return { ...choose(step.scores), ...this.#recorder.wanted(step) }
  }

  /** Queues a step of which only each row's best token is wanted; null where it takes scores to find it. */
  queueBest(rows: readonly StepRow[]): { ids: Tensor } | null {
    const ids = rows.map((row) => row.ids)
    const banned = this.#bannedFrom(ids.map(({ length }) => length))
    return banned && { ids: this.state.best(this.#unfed(ids), banned) }
  }

  /**
   * The same, of the step after one whose tokens are not read yet; null also where no step follows.
   *
   * @param tokens what `queueBest` gave.
   */
  queueBestAfter(rows: readonly StepRow[], tokens: Tensor): { ids: Tensor } | null {
    const banned = this.#bannedAfter(rows)
    return banned && { ids: this.state.best(tokens, banned) }
  }

  /**
   * As `queue`, of the step after one that is not read yet; null where it takes ids to process scores, where somebody asked
   * for these, or no step follows.
   *
   * @param goOn queues what makes of the decoder's rows those that go on; `running` are their newest tokens, (rows) int32.
   */
  queueAfter<Going extends { readonly running: Tensor }, T>(
    rows: readonly StepRow[],
    goOn: () => Going,
    choose: (scores: Tensor, going: Going) => T,
    prepare: (logits: Tensor) => Tensor,
  ): T | null {
    const banned = this.#bannedAfter(rows)
    if (!banned) return null
    const going = goOn()
    const scores = prepare(this.state.step(going.running, 'last'))
    return choose(banned.length > 0 ? ops.banTokens(scores, Tensor.from(Int32Array.from(banned))) : scores, going)
  }

  #bannedAfter(rows: readonly StepRow[]): readonly number[] | null {
    const lengths = rows.map(({ ids }) => ids.length + 1)
    if (!this.run.config.useCache || lengths.some((length) => this.run.stopping.exhausted(length))) return null
    return this.#bannedFrom(lengths)
  }

  /** Of rows of such lengths, where banning is all that happens to scores, and nobody asked for them. */
  #bannedFrom(lengths: readonly number[]): readonly number[] | null {
    const { doSample, outputScores, outputLogits } = this.run.config
    return doSample || outputScores || outputLogits ? null : bannedAlone(this.run.processors, lengths)
  }

  /** Ends a step with what was read of it. */
  record(values: Readonly<Record<string, ArrayLike<number>>>, rows: readonly StepRow[]): void {
    this.#recorder.record(
      values,
      rows.map(({ row }) => ({ row, token: this.#count })),
    )
    this.#count++
  }

  get recorded(): Pick<Found, 'scores' | 'logits'> {
    return this.#recorder.recorded
  }

  #unfed(ids: readonly Int32Array[]): readonly Int32Array[] {
    if (this.#count === 0) return ids
    if (this.run.config.useCache) return ids.map((list) => list.subarray(-1))
    this.state.truncate(ids.map(() => 0))
    return ids
  }
}
