import { removeStrays } from '../checkpoint/staging.ts'
import { ConfigError, describe, StateError } from '../errors.ts'
import { MovingAverages, type Optimizer, type Schedule, scheduleFactor } from '../optim/index.ts'
import {
  checkpointPath,
  latestCheckpoint,
  listCheckpoints,
  removeCheckpoint,
  restoreCheckpoint,
  saveCheckpoint,
  withAverages,
} from './checkpoints.ts'
import type { EndReason, EvaluateEvent, SaveEvent, StepEvent, TrainingEvent } from './events.ts'
import { LossScale, type LossScaleState } from './loss-scale.ts'
import type { Objective, Trainable } from './objective.ts'
import { type LaunchedStep, launchStep } from './step.ts'
import { Watch, type WatchOptions, type WatchState } from './watch.ts'

/** Batches that are read from front to back, and may be taken up again where they were left. */
export interface BatchSource<B> extends AsyncIterable<B> {
  /** Where it stands, after the batch that was given last, as JSON. Only checkpoints need it. */
  state?(): unknown
  /** Goes on, once it is iterated, with the batch that followed then. */
  restore?(state: never): void | Promise<void>
}

export interface CheckpointOptions {
  /** Folder that checkpoints appear in, as `step-<n>`. */
  readonly dir: string
  /** Steps between two of them; the end of a run saves one, too. @default Infinity */
  readonly every?: number
  /** How many of the last ones stay. @default 1 */
  readonly keepLast?: number
  /** How many of the best evaluated ones are saved and stay. @default 0 */
  readonly keepBest?: number
}

export interface EvaluateOptions extends Partial<WatchOptions> {
  /** Steps between two evaluations. */
  readonly every: number
  /** Measures the model, which does not drop anything meanwhile, and has the averages where they are kept. */
  readonly run: (model: Trainable) => Promise<Readonly<Record<string, number>>>
}

export interface TrainerOptions<B> {
  readonly objective: Objective<B>
  readonly optimizer: Optimizer
  /** Micro-batches. */
  readonly data: BatchSource<B>
  /** Learning rate, before the schedule's factor. */
  readonly lr: number
  /** @default constant */
  readonly schedule?: Schedule
  /** @default until the data comes to its end */
  readonly maxSteps?: number
  /** Micro-batches of a step. Their losses and gradients are means over all of their targets together. @default 1 */
  readonly accumulate?: number
  /** Most that the norm of all gradients may be. @default 1 */
  readonly maxGradNorm?: number
  /** As in `clipGradNorm`. @default 'torch' */
  readonly clipStyle?: 'torch' | 'tf'
  /** What dropout and sampling draw from. @default 0 */
  readonly seed?: number
  /** Keeps moving averages of the parameters: what is evaluated, and saved as a model of its own beside the other. */
  readonly averages?: { readonly decay: number }
  /**
   * A step whose loss or gradients are not finite changes nothing. It is counted, or ends the run, but where in float16 a
   * smaller loss scale may help. @default 'skip'
   */
  readonly onNonFinite?: 'skip' | 'stop'
  /** Keeps only the inputs of blocks, and computes the rest again in backward. @default the model's own setting */
  readonly activationCheckpointing?: boolean
  readonly evaluate?: EvaluateOptions
  readonly checkpoints?: CheckpointOptions
  /** When aborted, the run finishes its step, saves, and ends. */
  readonly signal?: AbortSignal
}

/** A step that was queued, and what is known of it before it has run. */
interface Waiting {
  readonly launched: LaunchedStep
  readonly step: number
  readonly lr: number
  readonly lossScale: number
}

/**
 * Trains a model. `run` gives typed events as they happen; nothing happens between two of them that are not asked for.
 *
 *     for await (const event of trainer.run()) if (event.type === 'step') console.log(event.step, event.loss)
 *
 * The same options, data and seed give the same bits, also where a run was interrupted and resumed from a checkpoint.
 */
export class Trainer<B> {
  readonly #options: TrainerOptions<B>
  readonly #schedule: Schedule
  readonly #averages: MovingAverages | null
  readonly #watch: Watch | null
  readonly #lossScale: LossScale | null
  #step = 0
  #skipped = 0
  #savedStep = -1
  /** Of the data, after the last step that was queued. */
  #position: unknown = null
  #started = false
  #stopped: EndReason | null = null

  /** @throws {ConfigError} for options that are out of their range or contradict each other. */
  constructor(options: TrainerOptions<B>) {
    expectOptions(options)
    this.#options = options
    this.#schedule = options.schedule ?? { type: 'constant' }
    scheduleFactor(this.#schedule, 0)
    const { averages, evaluate, checkpoints, objective } = options
    this.#lossScale = objective.model.computeDtype === 'float16' ? new LossScale() : null
    this.#averages = averages ? new MovingAverages(objective.model.namedParameters(), averages) : null
    this.#watch = evaluate?.metric
      ? new Watch({ ...evaluate, metric: evaluate.metric }, checkpoints?.keepBest ?? 0)
      : null
  }

  /** Steps so far, those that were skipped included. */
  get step(): number {
    return this.#step
  }

  /** Steps that were left out because loss or gradients were not finite. */
  get skipped(): number {
    return this.#skipped
  }

  /** Folder of the checkpoint whose evaluation was the best, also before it was resumed; null unless `keepBest` keeps any. */
  get bestCheckpoint(): string | null {
    const step = this.#watch?.bestSteps[0]
    return step === undefined ? null : checkpointPath(this.#options.checkpoints?.dir ?? '', step)
  }

  /**
   * Goes on where a checkpoint was saved: weights, averages, optimiser, schedule, random numbers and data.
   *
   * @param folder @default the last one in `checkpoints.dir`
   * @returns false if there is none, and the run starts from the beginning.
   * @throws {CheckpointError} if it cannot be read, or is of another model or optimiser.
   * @throws {ConfigError} if it was saved with another schedule, learning rate or seed.
   */
  async resume(folder?: string): Promise<boolean> {
    const { data, checkpoints } = this.#options
    // A run that was killed after its last checkpoint saves nothing more, which would remove them.
    if (checkpoints) await removeStrays(checkpoints.dir)
    const path = folder ?? (checkpoints && (await latestCheckpoint(checkpoints.dir)))
    if (!path) return false
    if (!data.restore) throw new ConfigError('Trainer: expected data with restore to resume, got data without')
    const saved = (await restoreCheckpoint(path, this.#parts())) as unknown as SavedState
    const { seed, lr, schedule } = this.#settings()
    for (const [name, own, then] of [
      ['seed', seed, saved.seed],
      ['lr', lr, saved.lr],
      ['schedule', JSON.stringify(schedule), JSON.stringify(saved.schedule)],
    ]) {
      if (own !== then) throw new ConfigError(`Trainer: expected ${name} ${then} as in ${path}, got ${own}`)
    }
    await data.restore(saved.data as never)
    this.#position = saved.data
    this.#step = saved.step
    this.#savedStep = saved.step
    this.#skipped = saved.skipped
    if (saved.watch) this.#watch?.restore(saved.watch)
    if (saved.lossScale) this.#lossScale?.restore(saved.lossScale)
    return true
  }

  /**
   * Trains until there is a reason to end, which is the last event. To go on from there, another trainer resumes.
   *
   * @throws {StateError} when it is called again.
   * @throws what `forward`, the data or an evaluation throws, and errors of the device; the state is then that of the last
   *   checkpoint for what has been saved, and undefined for the model in memory.
   */
  async *run(): AsyncGenerator<TrainingEvent, void, undefined> {
    if (this.#started) throw new StateError('Trainer: expected one run, got a second')
    this.#started = true
    const { objective, data, activationCheckpointing } = this.#options
    const { model } = objective
    const before = { training: model.training, gradientCheckpointing: model.gradientCheckpointing }
    if (activationCheckpointing !== undefined) model.gradientCheckpointing = activationCheckpointing
    const batches = data[Symbol.asyncIterator]()
    try {
      model.train(true)
      yield* this.#steps(batches)
    } finally {
      model.train(before.training)
      model.gradientCheckpointing = before.gradientCheckpointing
      await batches.return?.()
    }
  }

  /** Gives back what the trainer made: the averages. Model and optimiser are the caller's. */
  dispose(): void {
    this.#averages?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  async *#steps(batches: AsyncIterator<B>): AsyncGenerator<TrainingEvent, void, undefined> {
    // At most two steps are on their way: one runs while the next is queued.
    const waiting: Waiting[] = []
    let time = performance.now()
    const settle = async (most: number): Promise<StepEvent[]> => {
      const [first] = waiting
      if (!first || waiting.length <= most) return []
      const event = await this.#settle(first)
      waiting.shift()
      const now = performance.now()
      const seconds = (now - time) / 1000
      time = now
      return [{ ...event, seconds }]
    }
    try {
      for (;;) {
        const micros = this.#reasonToEnd() ? [] : await this.#take(batches)
        if (micros.length === 0) break
        waiting.push(this.#launch(micros))
        yield* await settle(1)
        if (this.#pausesAfter(this.#step)) {
          yield* await settle(0)
          yield* this.#pause()
        }
      }
      yield* await settle(0)
      yield* this.#end()
    } finally {
      for (const { launched } of waiting) launched[Symbol.dispose]()
    }
  }

  #reasonToEnd(): EndReason | null {
    const { maxSteps = Infinity, signal } = this.#options
    if (this.#stopped) return this.#stopped
    if (this.#watch?.exhausted) return 'earlyStopping'
    if (this.#step >= maxSteps) return 'maxSteps'
    return signal?.aborted ? 'aborted' : null
  }

  /** Micro-batches of a step; fewer at the end of the data, then none. */
  async #take(batches: AsyncIterator<B>): Promise<B[]> {
    const { accumulate = 1, signal } = this.#options
    const micros: B[] = []
    while (micros.length < accumulate) {
      const next = await batches.next()
      if (next.done) break
      micros.push(next.value)
    }
    // What was read for a step that is not taken counts as not read: the position is that of the step before.
    return signal?.aborted ? [] : micros
  }

  #launch(micros: readonly B[]): Waiting {
    const { objective, optimizer, data, maxGradNorm = 1, clipStyle = 'torch' } = this.#options
    const { lr: base, seed } = this.#settings()
    const lr = base * scheduleFactor(this.#schedule, this.#step)
    const lossScale = this.#lossScale?.at(this.#step) ?? 1
    const settings = { lr, seed, step: this.#step, maxGradNorm, clipStyle, lossScale }
    const launched = launchStep(objective, optimizer, micros, settings)
    this.#averages?.update(launched.guard)
    this.#step++
    this.#position = data.state?.() ?? null
    return { launched, step: this.#step, lr, lossScale }
  }

  async #settle({ launched, step, lr, lossScale }: Waiting): Promise<Omit<StepEvent, 'seconds'>> {
    using results = launched
    const { targets, tokens } = results
    const names = Object.keys(results.terms)
    const [loss, gradNorm, guard, ...values] = (await Promise.all(
      [results.loss, results.gradNorm, results.guard, ...Object.values(results.terms)].map((tensor) => tensor.item()),
    )) as [number, number, number, ...number[]]
    const terms = Object.fromEntries(names.map((name, i) => [name, values[i] as number]))
    const skipped = !Number.isFinite(guard)
    if (skipped) this.#skipped++
    // Steps are numbered from 0 when they are launched, and by how many there are when they are told of.
    this.#lossScale?.record({ step: step - 1, overflowed: skipped })
    if (skipped && lossScale === 1 && this.#options.onNonFinite === 'stop') this.#stopped = 'nonFinite'
    return { type: 'step', step, loss, terms, targets, tokens, gradNorm, lr, skipped }
  }

  /** Whether everything must have run before the next step is queued. */
  #pausesAfter(step: number): boolean {
    const { evaluate, checkpoints, onNonFinite } = this.#options
    // A run that is to stop at a bad step must not have queued another one.
    return onNonFinite === 'stop' || isDue(step, evaluate?.every) || isDue(step, checkpoints?.every)
  }

  async *#pause(): AsyncGenerator<EvaluateEvent | SaveEvent, void, undefined> {
    const { evaluate, checkpoints } = this.#options
    let isKept = false
    if (evaluate && isDue(this.#step, evaluate.every)) {
      const { best, kept, metrics } = await this.#evaluate(evaluate)
      isKept = kept
      yield { type: 'evaluate', step: this.#step, metrics, best }
    }
    if (checkpoints && (isKept || isDue(this.#step, checkpoints.every))) yield* this.#save(checkpoints)
  }

  async #evaluate({ run }: EvaluateOptions) {
    const { model } = this.#options.objective
    model.train(false)
    try {
      const metrics = await withAverages(this.#averages, () => run(model))
      return { metrics, ...(this.#watch?.update(this.#step, metrics) ?? { best: false, kept: false }) }
    } finally {
      model.train(true)
    }
  }

  async *#end(): AsyncGenerator<SaveEvent | TrainingEvent, void, undefined> {
    const { checkpoints } = this.#options
    const reason = this.#reasonToEnd() ?? 'dataEnd'
    if (checkpoints && this.#step > 0 && this.#savedStep !== this.#step) yield* this.#save(checkpoints)
    yield { type: 'end', step: this.#step, reason, skipped: this.#skipped }
  }

  async *#save({ dir, keepLast = 1 }: CheckpointOptions): AsyncGenerator<SaveEvent, void, undefined> {
    const watch = this.#watch?.state() ?? null
    const state: SavedState = {
      ...{ step: this.#step, skipped: this.#skipped, data: this.#position, watch },
      lossScale: this.#lossScale?.state() ?? null,
      ...this.#settings(),
    }
    const path = await saveCheckpoint(dir, this.#step, this.#parts(), state)
    this.#savedStep = this.#step
    const saved = await listCheckpoints(dir)
    const last = [...saved.keys()].filter((step) => step <= this.#step).sort((a, b) => b - a)
    const stay = new Set([...last.slice(0, Math.max(1, keepLast)), ...(this.#watch?.bestSteps ?? [])])
    for (const [step, folder] of saved) if (!stay.has(step)) await removeCheckpoint(folder)
    yield { type: 'save', step: this.#step, path }
  }

  #settings() {
    return { seed: this.#options.seed ?? 0, lr: this.#options.lr, schedule: this.#schedule }
  }

  #parts() {
    const { objective, optimizer } = this.#options
    return { model: objective.model, optimizer, averages: this.#averages }
  }
}

interface SavedState {
  readonly step: number
  readonly skipped: number
  readonly data: unknown
  readonly watch: WatchState | null
  /** None where it does not train in float16. */
  readonly lossScale?: LossScaleState | null
  readonly seed: number
  readonly lr: number
  readonly schedule: Schedule
}

function isDue(step: number, every = Infinity): boolean {
  return step % every === 0
}

function expectOptions<B>(options: TrainerOptions<B>): void {
  const { lr, maxSteps = Infinity, accumulate = 1, seed = 0, data, evaluate, checkpoints } = options
  const expect = (name: string, value: number, isFine: boolean, what: string) => {
    if (!isFine) throw new ConfigError(`Trainer: expected ${name} to be ${what}, got ${describe(value)}`)
  }
  const isCount = (value: number, least: number) =>
    value === Infinity || (Number.isSafeInteger(value) && value >= least)
  expect('lr', lr, lr >= 0 && Number.isFinite(lr), 'a number >= 0')
  expect('maxSteps', maxSteps, isCount(maxSteps, 0), 'an integer >= 0')
  expect('accumulate', accumulate, Number.isSafeInteger(accumulate) && accumulate >= 1, 'an integer >= 1')
  expect('seed', seed, Number.isSafeInteger(seed) && seed >= 0, 'an integer >= 0')
  if (evaluate) expect('evaluate.every', evaluate.every, isCount(evaluate.every, 1), 'an integer >= 1')
  if (checkpoints) {
    const { every = Infinity, keepLast = 1, keepBest = 0 } = checkpoints
    expect('checkpoints.every', every, isCount(every, 1), 'an integer >= 1')
    expect('checkpoints.keepLast', keepLast, isCount(keepLast, 1), 'an integer >= 1')
    expect('checkpoints.keepBest', keepBest, isCount(keepBest, 0), 'an integer >= 0')
    if (!data.state || !data.restore) {
      throw new ConfigError('Trainer: expected data with state and restore for checkpoints, got data without')
    }
    if (keepBest > 0 && !evaluate?.metric) {
      throw new ConfigError('Trainer: expected evaluate.metric with checkpoints.keepBest, got none')
    }
  }
  if (evaluate?.patience !== undefined && !evaluate.metric) {
    throw new ConfigError('Trainer: expected evaluate.metric with evaluate.patience, got none')
  }
}
