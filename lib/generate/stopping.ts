import { ConfigError } from '../errors.ts'
import { type GenerationConfig, tokenList } from './config.ts'

/** Turns ids into text: a tokenizer, as far as stop strings and text streams need one. */
export interface TokenDecoder {
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string | Promise<string>
}

/** Whether a sequence is complete, its newest token included; the prompt of the decoder is part of it. */
export type StoppingCriterion = (ids: Int32Array, sentence: number) => boolean

export interface StoppingSettings {
  readonly config: GenerationConfig
  /** Longest sequence, the prompt included. */
  readonly maxLength: number
  readonly tokenizer?: TokenDecoder | undefined
  readonly stoppingCriterion?: StoppingCriterion | undefined
}

/** As `StoppingCriterion`, for what waits until the tokenizer's threads have an answer. */
type Criterion = (...args: Parameters<StoppingCriterion>) => boolean | Promise<boolean>

/** When sequences end. */
export class Stopping {
  readonly #criteria: Criterion[]
  /** Tokens that end a sequence. */
  readonly endTokens: readonly number[]
  readonly #maxLength: number
  readonly #deadline: number

  /** @throws {ConfigError} if there are stop strings without a tokenizer. */
  constructor({ config, maxLength, tokenizer, stoppingCriterion }: StoppingSettings) {
    this.endTokens = tokenList(config.eosTokenId)
    const ends = new Set(this.endTokens)
    this.#maxLength = maxLength
    this.#deadline = config.maxTime === null ? Number.POSITIVE_INFINITY : performance.now() + config.maxTime * 1000
    this.#criteria = [(ids) => ends.has(ids[ids.length - 1] as number)]
    if (config.stopStrings !== null) {
      if (!tokenizer) throw new ConfigError('generate: expected a tokenizer for stopStrings, got none')
      this.#criteria.push(stopStrings([config.stopStrings].flat(), tokenizer))
    }
    if (stoppingCriterion) this.#criteria.push(stoppingCriterion)
  }

  /** Whether nothing but an end token ends a sequence before it is exhausted. */
  get endsByTokenAlone(): boolean {
    return this.#criteria.length === 1
  }

  /** Whether the sequence ends by what it says: an end token, a stop string, the caller's own criterion. */
  async ends(ids: Int32Array, sentence: number): Promise<boolean> {
    for (const criterion of this.#criteria) if (await criterion(ids, sentence)) return true
    return false
  }

  /** Whether no sequence of this length goes on: the maximum is reached, or time is up. */
  exhausted(length: number): boolean {
    return length >= this.#maxLength || performance.now() >= this.#deadline
  }
}

/**
 * True when the last token completes one of the texts, whatever of it lies in earlier tokens or hangs over; text that was
 * complete before does not count.
 */
function stopStrings(texts: readonly string[], tokenizer: TokenDecoder): Criterion {
  // Special tokens are text, too: a sentinel may be where to stop.
  const textOf = (ids: Int32Array) => tokenizer.decode(ids, { skipSpecialTokens: false })
  return async (ids) => {
    const [now, before] = await Promise.all([textOf(ids), textOf(ids.subarray(0, -1))])
    return texts.some((text) => now.includes(text, Math.max(before.length - text.length + 1, 0)))
  }
}
