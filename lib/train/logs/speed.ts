import type { StepEvent } from '../events.ts'

/** Seconds that the mean reaches back. */
const memory = 20

/** Tokens and steps a second, as a mean over the last seconds that forgets what lies further back. */
export class Speed {
  #seconds = 0
  #tokens = 0
  #steps = 0

  add({ seconds, tokens }: StepEvent): void {
    const kept = Math.exp(-seconds / memory)
    this.#seconds = this.#seconds * kept + seconds
    this.#tokens = this.#tokens * kept + tokens
    this.#steps = this.#steps * kept + 1
  }

  /** 0 before the first step. */
  get tokensPerSecond(): number {
    return this.#seconds > 0 ? this.#tokens / this.#seconds : 0
  }

  /** NaN before the first step. */
  secondsFor(steps: number): number {
    return (steps * this.#seconds) / this.#steps
  }
}
