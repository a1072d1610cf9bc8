import type { Tensor } from '../tensor.ts'
import type { Found, Run, StepScores } from './run.ts'

/** A step's scores on the device: (rows, V) as processed, and the model's own. */
export interface StepTensors {
  readonly scores: Tensor
  readonly logits: Tensor
}

/** Which row of the output, and which of its generated tokens, a row of scores is for. */
export interface Place {
  readonly row: number
  readonly token: number
}

/** Keeps the scores and logits of a run, if it is to give them. */
export class Recorder {
  readonly #recorded: { readonly scores: (Float32Array | null)[][]; readonly logits: (Float32Array | null)[][] } = {
    scores: [],
    logits: [],
  }

  /** @param rows of the output's scores. */
  constructor(
    private readonly run: Run,
    private readonly rows: number,
  ) {}

  /** What of a step is to be read. */
  wanted({ scores, logits }: StepTensors): { scores: Tensor | null; logits: Tensor | null } {
    const { outputScores, outputLogits } = this.run.config
    return { scores: outputScores ? scores : null, logits: outputLogits ? logits : null }
  }

  /** Takes what was read; null where a row of scores counts for nothing. */
  record(values: { scores?: ArrayLike<number>; logits?: ArrayLike<number> }, places: readonly (Place | null)[]): void {
    for (const name of ['scores', 'logits'] as const) {
      const data = values[name] as Float32Array | undefined
      if (!data) continue
      const columns = data.length / places.length
      places.forEach((place, i) => {
        if (!place) return
        const list = this.#recorded[name]
        while (list.length <= place.token) list.push(new Array(this.rows).fill(null))
        const step = list[place.token] as (Float32Array | null)[]
        step[place.row] = data.slice(i * columns, (i + 1) * columns)
      })
    }
  }

  get recorded(): Pick<Found, 'scores' | 'logits'> {
    const { outputScores, outputLogits } = this.run.config
    const { scores, logits }: { scores: StepScores[]; logits: StepScores[] } = this.#recorded
    return { scores: outputScores ? scores : null, logits: outputLogits ? logits : null }
  }
}
