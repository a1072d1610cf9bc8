const first = 2 ** 16
const largest = 2 ** 24
/** Good steps in a row after which the scale doubles. */
const patience = 2000
/** A trainer has two steps on their way: what came of one is known for certain when the second after it is queued. */
const delay = 2

/** What came of a step that does not count yet. */
interface Outcome {
  readonly step: number
  readonly overflowed: boolean
}

/** As JSON, for checkpoints. */
export interface LossScaleState {
  readonly value: number
  readonly good: number
  readonly outcomes: readonly Outcome[]
}

/**
 * The factor that the loss of float16 training has, so that gradients do not vanish in 16 bits: halved after a step whose
 * gradients overflowed, which changes nothing else, and doubled after 2,000 steps without. A power of two: it costs no bits.
 * What comes of a step counts two steps later, whether or not it was known before, so that runs do not depend on pauses.
 *
 * @see Micikevicius et al. 2018, Mixed Precision Training, section 3.2. https://arxiv.org/abs/1710.03740
 */
export class LossScale {
  #value = first
  #good = 0
  #outcomes: Outcome[] = []

  /** The factor for a step, which comes after all that were asked for. */
  at(step: number): number {
    while (this.#outcomes[0] && this.#outcomes[0].step + delay <= step) this.#count(this.#outcomes.shift() as Outcome)
    return this.#value
  }

  /** Steps come in their order. */
  record(outcome: Outcome): void {
    this.#outcomes.push(outcome)
  }

  state(): LossScaleState {
    return { value: this.#value, good: this.#good, outcomes: [...this.#outcomes] }
  }

  restore({ value, good, outcomes }: LossScaleState): void {
    this.#value = value
    this.#good = good
    this.#outcomes = [...outcomes]
  }

  #count({ overflowed }: Outcome): void {
    this.#good = overflowed ? 0 : this.#good + 1
    if (overflowed) this.#value = Math.max(1, this.#value / 2)
    if (this.#good < patience) return
    this.#good = 0
    this.#value = Math.min(largest, this.#value * 2)
  }
}
