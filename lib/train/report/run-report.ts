import type { EndEvent, EvaluateEvent, SaveEvent, StepEvent, TrainingEvent } from '../events.ts'
import { Curve } from '../logs/curve.ts'
import type { TrainingLog } from '../logs/log.ts'
import { duration } from '../logs/progress.ts'
import { chart, type Series } from './chart.ts'
import { type Html, html } from './html.ts'
import { page, table, writePage } from './page.ts'

export interface RunReportOptions {
  /** Heading of the page. */
  readonly title: string
  /** What the run was told to do, shown as JSON. */
  readonly config?: unknown
}

/** Collects what happens in a run, and writes it as a page at each evaluation, at each checkpoint and in the end. */
export class RunReport implements TrainingLog {
  readonly #curves = new RunCurves()

  constructor(
    private readonly path: string,
    private readonly options: RunReportOptions,
  ) {}

  async event(event: TrainingEvent): Promise<void> {
    this.#curves.event(event)
    if (event.type !== 'step') await this.#write()
  }

  close(): Promise<void> {
    return this.#write()
  }

  #write(): Promise<void> {
    const { title, config } = this.options
    const settings = config === undefined ? [] : [html`<h2>Settings</h2><pre>${JSON.stringify(config, null, 2)}</pre>`]
    return writePage(this.path, page(title, [...this.#curves.sections(), ...settings]))
  }
}

/** The events of a run as charts and a table, in memory that does not grow with its length. */
export class RunCurves implements TrainingLog {
  readonly #curves = new Map<string, Curve>()
  readonly #sums = { seconds: 0, tokens: 0 }
  #last: StepEvent | null = null
  #best: EvaluateEvent | null = null
  #saved: SaveEvent | null = null
  #end: EndEvent | null = null

  event(event: TrainingEvent): void {
    if (event.type === 'step') this.#step(event)
    if (event.type === 'evaluate') {
      for (const [name, value] of Object.entries(event.metrics)) this.#add(`held-out ${name}`, event.step, value)
      if (event.best) this.#best = event
    }
    if (event.type === 'save') this.#saved = event
    if (event.type === 'end') this.#end = event
  }

  async close(): Promise<void> {}

  /** All curves by name: of each step `loss`, its terms, …; of evaluations `held-out` and the metric. */
  get series(): readonly Series[] {
    return [...this.#curves].map(([name, { points }]) => ({ name, points }))
  }

  /** Of all steps so far. */
  get seconds(): number {
    return this.#sums.seconds
  }

  sections(): Html[] {
    return [this.#summary(), ...this.series.map((series) => chart([series], { title: series.name }))]
  }

  #step(event: StepEvent): void {
    const { step, loss, terms, gradNorm, lr, tokens, seconds } = event
    this.#last = event
    this.#sums.seconds += seconds
    this.#sums.tokens += tokens
    this.#add('loss', step, loss)
    for (const [name, value] of Object.entries(terms)) if (name !== 'loss') this.#add(name, step, value)
    this.#add('gradient norm, before clipping', step, gradNorm)
    this.#add('learning rate', step, lr)
    this.#add('tokens a second', step, tokens / seconds)
  }

  #add(name: string, step: number, value: number): void {
    const curve = this.#curves.get(name) ?? new Curve()
    curve.add(step, value)
    this.#curves.set(name, curve)
  }

  #summary(): Html {
    const end = this.#end
    const best = Object.entries(this.#best?.metrics ?? {})
    return table(
      ['what', 'value'],
      [
        ['steps', (this.#last?.step ?? 0).toLocaleString('en')],
        ['time', duration(this.#sums.seconds)],
        ['tokens', this.#sums.tokens.toLocaleString('en')],
        ['ended', end ? end.reason : 'not yet'],
        ...(end && end.skipped > 0 ? [['skipped steps', end.skipped.toLocaleString('en')]] : []),
        ...best.map(([name, value]) => [`best ${name}`, value.toFixed(4)]),
        ...(this.#saved ? [['last checkpoint', this.#saved.path]] : []),
      ],
    )
  }
}
