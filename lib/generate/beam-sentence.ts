import type { Beam, BeamRules } from './beam-rules.ts'

/** Continuations of one sentence's running beams, best first (or in the order drawn). */
export interface Candidates {
  readonly scores: ArrayLike<number>
  /** Which of the running beams each continues. */
  readonly parents: ArrayLike<number>
  readonly tokens: ArrayLike<number>
}

/**
 * What pushes aside a beam that must not run without forgetting it, as in Hugging Face's search: it fills up where too few
 * others are left.
 */
export const outOfTheRunning = -1e9

/** The beam search of one sentence. */
export class BeamSentence {
  /** Running beams, best first. */
  running: readonly Beam[]
  /** Finished beams, best first. */
  #finished: Beam[] = []

  constructor(
    /** Which of the batch. */ readonly sentence: number,
    private readonly numBeams: number,
    private readonly rules: BeamRules,
    private readonly prompt: Int32Array,
  ) {
    // One beam runs: all start from the same prompt, and would find the same continuations.
    this.running = Array.from({ length: numBeams }, (_, i) => ({
      score: i === 0 ? 0 : outOfTheRunning,
      ids: prompt,
      parents: new Int32Array(0),
    }))
  }

  /**
   * Takes a step: the candidates that end finish if they rank high enough, the best others run.
   *
   * @param ends whether a sequence ends by what it says.
   * @param exhausted whether nothing goes on beyond this step.
   * @returns for each running beam, which of those before it continues; null where the sentence is done.
   */
  async advance(
    candidates: Candidates,
    ends: (ids: Int32Array) => Promise<boolean>,
    exhausted: boolean,
  ): Promise<readonly number[] | null> {
    const { rules, numBeams } = this
    const beams = Array.from(candidates.tokens, (token, i) => this.#extended(candidates, i, token))
    const ended = await Promise.all(beams.map(({ ids }) => ends(ids)))
    const finishing = beams.filter(
      (_, rank) => rank < rules.finishers && (ended[rank] || (exhausted && rules.finishesAtLimit)),
    )
    this.#finish(finishing)
    const ranked = beams
      .map((beam, i) => ({ beam, parent: candidates.parents[i] as number, score: this.#runningScore(beam, ended[i]) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams)
    this.running = ranked.map(({ beam, score }) => ({ ...beam, score }))
    if (exhausted || ended.every(Boolean)) return null
    const best = this.running[0] as Beam
    const scores = this.#finished.map(({ score }) => score)
    return rules.goesOn(best.score, best.parents.length, scores) ? ranked.map(({ parent }) => parent) : null
  }

  /** The best beams, best first: finished ones, then what still ran. */
  results(count: number): Beam[] {
    const rest = this.running.filter(({ score }) => score > outOfTheRunning / 2).map((beam) => this.#penalized(beam))
    return [...this.#finished, ...rest].slice(0, count)
  }

  #extended({ scores, parents }: Candidates, i: number, token: number): Beam {
    const parent = parents[i] as number
    const before = this.running[parent] as Beam
    return {
      score: scores[i] as number,
      ids: appended(before.ids, token),
      parents: appended(before.parents, this.sentence * this.numBeams + parent),
    }
  }

  #runningScore({ score }: Beam, ended: boolean | undefined): number {
    return ended ? Math.fround(score + outOfTheRunning) : score
  }

  #finish(beams: readonly Beam[]): void {
    // Sorting is stable: of equal scores, those that were there stay first.
    this.#finished = [...this.#finished, ...beams.map((beam) => this.#penalized(beam))]
      .sort((a, b) => b.score - a.score)
      .slice(0, this.numBeams)
  }

  #penalized(beam: Beam): Beam {
    const length = beam.ids.length - this.prompt.length
    return { ...beam, score: Math.fround(beam.score / this.rules.penalty(length)) }
  }
}

function appended(list: Int32Array, value: number): Int32Array {
  const result = new Int32Array(list.length + 1)
  result.set(list)
  result[list.length] = value
  return result
}
