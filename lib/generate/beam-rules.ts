import type { GenerationConfig } from './config.ts'

/** A sequence of a beam search. */
export interface Beam {
  /** Sum of its tokens' log-probabilities while it runs; divided by the length penalty once it has finished. */
  readonly score: number
  /** Ids with the prompt. */
  readonly ids: Int32Array
  /** For each generated token, which beam of the step before it continued, counted over the whole batch. */
  readonly parents: Int32Array
}

/** What may differ between beam searches. Lengths are of generated tokens, the end token included. */
export interface BeamRules {
  /** What the sum of log-probabilities of a finished beam is divided by. */
  penalty(length: number): number
  /** Best candidates, by rank, that may finish. */
  readonly finishers: number
  /** Whether those that reach the maximum length finish; else they count only where nothing has finished. */
  readonly finishesAtLimit: boolean
  /**
   * Whether the search goes on.
   *
   * @param best log-probability of the best running beam.
   * @param length of the running beams.
   * @param finished scores of the finished beams, descending; at most `numBeams`.
   */
  goesOn(best: number, length: number, finished: readonly number[]): boolean
}

/** @param maxNewTokens most tokens of a beam. */
export function beamRules(config: GenerationConfig, maxNewTokens: number): BeamRules {
  return config.beamRules === 't5' ? t5Rules(config, maxNewTokens) : huggingFaceRules(config, maxNewTokens)
}

function huggingFaceRules(config: GenerationConfig, maxNewTokens: number): BeamRules {
  const { numBeams, lengthPenalty, earlyStopping } = config
  const penalty = (length: number) => length ** lengthPenalty
  return {
    penalty,
    finishers: numBeams,
    finishesAtLimit: true,
    goesOn(best, length, finished) {
      if (finished.length < numBeams) return true
      if (earlyStopping === true) return false
      const hoped = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : length
      return Math.fround(best / penalty(hoped)) > (finished.at(-1) as number)
    },
  }
}

/**
 * The search of Mesh TensorFlow, which T5 was evaluated with. Wu et al. 2016, section 7, has the penalty.
 * https://arxiv.org/abs/1609.08144
 */
function t5Rules({ lengthPenalty }: GenerationConfig, maxNewTokens: number): BeamRules {
  const penalty = (length: number) => ((5 + length) / 6) ** lengthPenalty
  return {
    penalty,
    finishers: Number.POSITIVE_INFINITY,
    finishesAtLimit: false,
    goesOn(best, _length, finished) {
      return finished.length === 0 || best / penalty(maxNewTokens) >= (finished.at(-1) as number)
    },
  }
}
