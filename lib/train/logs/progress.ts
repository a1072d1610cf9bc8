import type { EndReason, EvaluateEvent, StepEvent, TrainingEvent } from '../events.ts'
import { Curve } from './curve.ts'
import type { TrainingLog } from './log.ts'
import { sparkline } from './sparkline.ts'
import { Speed } from './speed.ts'

/** Where progress is shown. */
export interface ProgressView {
  /** A line that takes the place of the one before, made only when it is shown. */
  progress(text: () => string): void
  /** A line that stays. */
  note(line: string): void
}

export interface ProgressOptions {
  /** Begins every line. @default none */
  readonly name?: string
  /** Steps that the run is to take; with them there is a time that is left. */
  readonly maxSteps?: number
}

const sparklineWidth = 16

const reasons: Readonly<Record<EndReason, string>> = {
  maxSteps: 'done',
  dataEnd: 'the data came to its end',
  earlyStopping: 'stopped early: no more improvement',
  nonFinite: 'stopped: loss or gradients were not finite',
  aborted: 'interrupted',
}

/** Shows a run to people: step, loss and its curve, tokens a second, time left; evaluations and the end on lines of their own. */
export class ProgressLog implements TrainingLog {
  readonly #speed = new Speed()
  readonly #losses = new Curve()
  readonly #start = performance.now()
  readonly #prefix: string
  #tokens = 0

  constructor(
    private readonly view: ProgressView,
    private readonly options: ProgressOptions = {},
  ) {
    this.#prefix = options.name ? `${options.name}: ` : ''
  }

  event(event: TrainingEvent): void {
    if (event.type === 'step') this.#step(event)
    if (event.type === 'evaluate') this.#note(evaluation(event))
    if (event.type === 'end') this.#note(this.#summary(event.step, event.reason, event.skipped))
  }

  async close(): Promise<void> {}

  #step(event: StepEvent): void {
    this.#speed.add(event)
    this.#tokens += event.tokens
    this.#losses.add(event.step, event.loss)
    this.view.progress(() => this.#line(event))
  }

  #line({ step, loss, skipped }: StepEvent): string {
    const { maxSteps } = this.options
    const parts = [
      `step ${step.toLocaleString('en')}${maxSteps ? `/${maxSteps.toLocaleString('en')}` : ''}`,
      `loss ${loss.toFixed(4)}${skipped ? ' (not finite: skipped)' : ''} ${sparkline(
        this.#losses.points.map(({ y }) => y),
        sparklineWidth,
      )}`,
      `${rate(this.#speed.tokensPerSecond)} tokens/s`,
      ...(maxSteps ? [`ETA ${duration(this.#speed.secondsFor(maxSteps - step))}`] : []),
    ]
    return this.#prefix + parts.join('  ')
  }

  #summary(step: number, reason: EndReason, skipped: number): string {
    const seconds = (performance.now() - this.#start) / 1000
    const speed = this.#tokens > 0 ? `, ${rate(this.#tokens / seconds)} tokens/s` : ''
    const left = skipped > 0 ? `, ${skipped} skipped` : ''
    return `${reasons[reason]} at step ${step.toLocaleString('en')} after ${duration(seconds)}${speed}${left}`
  }

  #note(line: string): void {
    this.view.note(this.#prefix + line)
  }
}

function evaluation({ step, metrics, best }: EvaluateEvent): string {
  const values = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`)
  return `step ${step.toLocaleString('en')}  ${values.join('  ')}${best ? '  (best so far)' : ''}`
}

/** `8.2k`. */
function rate(perSecond: number): string {
  return perSecond < 1000 ? perSecond.toFixed(0) : `${(perSecond / 1000).toFixed(1)}k`
}

/** `1:02:03` or `2:03`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  const whole = Math.max(0, Math.round(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}
