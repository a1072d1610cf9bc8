import { ConfigError, describe } from '../errors.ts'

export interface WatchOptions {
  /** Name of the metric that evaluations are compared by. */
  readonly metric: string
  /** Which is better. @default 'max' */
  readonly mode?: 'min' | 'max'
  /** Ends the run after so many evaluations in a row without an improvement. @default Infinity */
  readonly patience?: number
  /** What counts as an improvement. @default 0 */
  readonly minDelta?: number
}

interface Ranked {
  readonly step: number
  readonly value: number
}

/** What a checkpoint keeps of it. */
export interface WatchState {
  readonly best: readonly Ranked[]
  readonly record: number | null
  readonly sinceImprovement: number
}

/** Compares evaluations: which steps were the best, and whether they still get better. */
export class Watch {
  #best: Ranked[] = []
  #record: number | null = null
  #sinceImprovement = 0
  readonly #options: Required<WatchOptions>

  /** @param keep how many of the best steps are remembered. */
  constructor(
    { metric, mode = 'max', patience = Infinity, minDelta = 0 }: WatchOptions,
    private readonly keep: number,
  ) {
    this.#options = { metric, mode, patience, minDelta }
  }

  /** Takes an evaluation in. @throws {ConfigError} if it lacks the metric. */
  update(step: number, metrics: Readonly<Record<string, number>>): { best: boolean; kept: boolean } {
    const { metric, mode, minDelta } = this.#options
    const value = metrics[metric]
    if (typeof value !== 'number') {
      throw new ConfigError(
        `Trainer: expected evaluate to give ${metric}, got ${describe(Object.keys(metrics).join())}`,
      )
    }
    const gain = (old: number) => (mode === 'max' ? value - old : old - value)
    // NaN is better than nothing, and than nothing else.
    const best = !Number.isNaN(value) && (this.#record === null || gain(this.#record) > 0)
    const improved = best && (this.#record === null || gain(this.#record) > minDelta)
    if (best) this.#record = value
    this.#sinceImprovement = improved ? 0 : this.#sinceImprovement + 1
    if (!Number.isNaN(value)) this.#best.push({ step, value })
    // Of equals the earlier one stays.
    this.#best.sort((a, b) => (mode === 'max' ? b.value - a.value : a.value - b.value) || a.step - b.step)
    this.#best.length = Math.min(this.#best.length, this.keep)
    return { best, kept: this.#best.some((ranked) => ranked.step === step) }
  }

  /** The best steps, best first. */
  get bestSteps(): number[] {
    return this.#best.map(({ step }) => step)
  }

  get exhausted(): boolean {
    return this.#sinceImprovement >= this.#options.patience
  }

  state(): WatchState {
    return { best: this.#best, record: this.#record, sinceImprovement: this.#sinceImprovement }
  }

  restore({ best, record, sinceImprovement }: WatchState): void {
    this.#best = [...best].slice(0, this.keep)
    this.#record = record
    this.#sinceImprovement = sinceImprovement
  }
}
