import { ConfigError, describe } from '../errors.ts'

/** Ids that a token or one of several tokens may have. */
export type TokenIds = number | readonly number[]

/**
 * How to generate: the keys of Hugging Face's generation_config.json in camelCase, with its defaults, and a few of ours.
 * Lengths are in tokens; where they count a prompt, it is the decoder's (the start token), never the encoder's input.
 */
export interface GenerationConfig {
  /** Longest sequence, the prompt included. @default the prompt and 20 new tokens */
  maxLength: number | null
  /** Most tokens to generate; beats `maxLength`. @default null */
  maxNewTokens: number | null
  /** No end token before the sequence has this length, the prompt included. @default 0 */
  minLength: number
  /** No end token before so many tokens are generated; beats `minLength`. @default null */
  minNewTokens: number | null
  /** Seconds after which everything stops at the current step. @default null */
  maxTime: number | null
  /** Text that ends a sequence as soon as a token completes it; needs `tokenizer`. @default null */
  stopStrings: string | readonly string[] | null
  /** Draw tokens instead of taking the best. @default false */
  doSample: boolean
  /** Above 1: beam search. @default 1 */
  numBeams: number
  /**
   * When a sentence's beam search ends: true, with `numBeams` finished; false, when none of those that run can improve on
   * the worst finished at the present length; 'never', when none can at any length. @default false
   */
  earlyStopping: boolean | 'never'
  /** Exponent of the length by which a beam's log-probability is divided; above 0 favours long ones. @default 1 */
  lengthPenalty: number
  /**
   * 'huggingface', or 't5': the search of the original code, with the penalty ((5 + length) / 6)^lengthPenalty, a bound at
   * the maximum length, and finished beams that need an end token. @default 'huggingface'
   */
  beamRules: 'huggingface' | 't5'
  /** Keep the keys and values of earlier tokens instead of computing them again in every step. @default true */
  useCache: boolean
  /** Divides the logits; with `doSample`, like all down to `etaCutoff`. @default 1 */
  temperature: number
  /** Keep the best tokens; 0 keeps all. @default 50 */
  topK: number
  /** Keep the best tokens until they have this probability. @default 1 */
  topP: number
  /** Keep tokens with at least this share of the best one's probability. @default null */
  minP: number | null
  /** Keep the best tokens until they use up this share of the entropy. @default null */
  topH: number | null
  /** Keep the most typical tokens until they have this probability. @default 1 */
  typicalP: number
  /** Keep tokens of at least this probability; 0 keeps all. @default 0 */
  epsilonCutoff: number
  /** Keep tokens of at least min(this, √this · e^−entropy); 0 keeps all. @default 0 */
  etaCutoff: number
  /** Seed of the random numbers. @default null: another one each time, told in the output */
  seed: number | null
  /** Above 1 discourages tokens that are in the sequence. @default 1 */
  repetitionPenalty: number
  /** Above 1 encourages tokens of the encoder's input. @default 1 */
  encoderRepetitionPenalty: number
  /** No n-gram of this size occurs twice; 0 allows all. @default 0 */
  noRepeatNgramSize: number
  /** No n-gram of this size of the encoder's input is generated; 0 allows all. @default 0 */
  encoderNoRepeatNgramSize: number
  /** Token sequences that are never generated. @default null */
  badWordsIds: readonly (readonly number[])[] | null
  /** What is added to the score of a sequence's last token where the others precede it. @default null */
  sequenceBias: readonly (readonly [ids: readonly number[], bias: number])[] | null
  /** First token after a prompt of one. @default null */
  forcedBosTokenId: number | null
  /** Last token of sequences that reach the maximum length. @default null */
  forcedEosTokenId: TokenIds | null
  /** Replaces NaN by 0 and infinities by the largest numbers. @default false */
  removeInvalidValues: boolean
  /** [start, factor]: raises end tokens by factor^(generated − start) once start tokens are generated. @default null */
  exponentialDecayLengthPenalty: readonly [start: number, factor: number] | null
  /** Tokens that are never generated. @default null */
  suppressTokens: readonly number[] | null
  /** Tokens that are not generated first. @default null */
  beginSuppressTokens: readonly number[] | null
  /** Log-softmax over the scores after all else. @default false */
  renormalizeLogits: boolean
  /** Sequences for each sentence: draws, or the best beams. @default 1 */
  numReturnSequences: number
  /** Give the scores that each step chose from. @default false */
  outputScores: boolean
  /** Give the model's logits of each step. @default false */
  outputLogits: boolean
  /** Fills finished sequences. @default the first end token */
  padTokenId: number | null
  /** Starts the decoder where there is no `decoderStartTokenId`. @default null */
  bosTokenId: number | null
  /** Ends a sequence. @default null */
  eosTokenId: TokenIds | null
  /** Starts the decoder; a list has one for each sentence. @default null */
  decoderStartTokenId: TokenIds | null
  /** Tokens that prompt lookup proposes at a time; turns it on. @default null */
  promptLookupNumTokens: number | null
  /** Longest n-gram that prompt lookup searches for. @default 2 */
  maxMatchingNgramSize: number
  /** Tokens that the assistant model drafts at a time. @default 20 */
  numAssistantTokens: number
  /** 'heuristic' adds 2 to them when all are accepted, and takes 1 away when not. @default 'constant' */
  numAssistantTokensSchedule: 'heuristic' | 'constant'
}

type GenerationKey = keyof GenerationConfig

interface Field<T> {
  readonly fallback: T
  readonly expected: string
  valid(value: unknown): boolean
}

const isNumber = (x: unknown): x is number => typeof x === 'number' && Number.isFinite(x)
const isInteger = (x: unknown, least: number): x is number => Number.isSafeInteger(x) && (x as number) >= least
const isListOf = (x: unknown, valid: (item: unknown) => boolean) => Array.isArray(x) && x.length > 0 && x.every(valid)
const isToken = (x: unknown) => isInteger(x, 0)
const isTokens = (x: unknown) => isListOf(x, isToken)

const integer = <T>(fallback: T, least: number): Field<T> => ({
  fallback,
  expected: `an integer >= ${least}`,
  valid: (x) => isInteger(x, least),
})
const number = <T>(fallback: T, expected: string, valid: (x: number) => boolean): Field<T> => ({
  fallback,
  expected,
  valid: (x) => isNumber(x) && valid(x),
})
const positive = <T>(fallback: T) => number(fallback, 'a number above 0', (x) => x > 0)
const share = <T>(fallback: T) => number(fallback, 'a number in [0, 1]', (x) => x >= 0 && x <= 1)
const flag: Field<boolean> = { fallback: false, expected: 'a boolean', valid: (x) => typeof x === 'boolean' }
const token: Field<number | null> = { fallback: null, expected: 'a token id', valid: isToken }
const tokenOrTokens: Field<TokenIds | null> = {
  fallback: null,
  expected: 'a token id or a list of them',
  valid: (x) => isToken(x) || isTokens(x),
}
const tokens: Field<readonly number[] | null> = { fallback: null, expected: 'a list of token ids', valid: isTokens }
const choice = <T extends boolean | string>(fallback: T, all: readonly T[]): Field<T> => ({
  fallback,
  expected: all.join(' or '),
  valid: (x) => all.includes(x as T),
})

const fields: { readonly [K in GenerationKey]: Field<GenerationConfig[K]> } = {
  maxLength: integer<number | null>(null, 1),
  maxNewTokens: integer<number | null>(null, 1),
  minLength: integer(0, 0),
  minNewTokens: integer<number | null>(null, 0),
  maxTime: positive<number | null>(null),
  stopStrings: {
    fallback: null,
    expected: 'a text or a list of them, none empty',
    valid: (x) => {
      const isText = (item: unknown) => typeof item === 'string' && item !== ''
      return isText(x) || isListOf(x, isText)
    },
  },
  doSample: flag,
  numBeams: integer(1, 1),
  earlyStopping: choice<boolean | 'never'>(false, [true, false, 'never']),
  lengthPenalty: number(1, 'a number', () => true),
  beamRules: choice<'huggingface' | 't5'>('huggingface', ['huggingface', 't5']),
  useCache: { ...flag, fallback: true },
  temperature: positive(1),
  topK: integer(50, 0),
  topP: share(1),
  minP: share<number | null>(null),
  topH: share<number | null>(null),
  typicalP: number(1, 'a number in (0, 1]', (x) => x > 0 && x <= 1),
  epsilonCutoff: number(0, 'a number in [0, 1)', (x) => x >= 0 && x < 1),
  etaCutoff: number(0, 'a number in [0, 1)', (x) => x >= 0 && x < 1),
  seed: integer<number | null>(null, 0),
  repetitionPenalty: positive(1),
  encoderRepetitionPenalty: positive(1),
  noRepeatNgramSize: integer(0, 0),
  encoderNoRepeatNgramSize: integer(0, 0),
  badWordsIds: { fallback: null, expected: 'a list of lists of token ids', valid: (x) => isListOf(x, isTokens) },
  sequenceBias: {
    fallback: null,
    expected: 'a list of pairs of token ids and a finite number',
    valid: (x) => isListOf(x, (p) => Array.isArray(p) && p.length === 2 && isTokens(p[0]) && isNumber(p[1])),
  },
  forcedBosTokenId: token,
  forcedEosTokenId: tokenOrTokens,
  removeInvalidValues: flag,
  exponentialDecayLengthPenalty: {
    fallback: null,
    expected: 'a pair of an integer >= 0 and a number above 0',
    valid: (x) => Array.isArray(x) && x.length === 2 && isInteger(x[0], 0) && isNumber(x[1]) && x[1] > 0,
  },
  suppressTokens: tokens,
  beginSuppressTokens: tokens,
  renormalizeLogits: flag,
  numReturnSequences: integer(1, 1),
  outputScores: flag,
  outputLogits: flag,
  padTokenId: token,
  bosTokenId: token,
  eosTokenId: tokenOrTokens,
  decoderStartTokenId: tokenOrTokens,
  promptLookupNumTokens: integer<number | null>(null, 1),
  maxMatchingNgramSize: integer(2, 1),
  numAssistantTokens: integer(20, 1),
  numAssistantTokensSchedule: choice<'heuristic' | 'constant'>('constant', ['heuristic', 'constant']),
}

const generationKeys = Object.keys(fields) as readonly GenerationKey[]

export function isGenerationKey(key: string): key is GenerationKey {
  return Object.hasOwn(fields, key)
}

/** @throws {ConfigError} if a value is out of its range. */
export function expectValid(values: Partial<GenerationConfig>): void {
  for (const key of generationKeys) {
    const value = values[key]
    if (value === undefined || value === fields[key].fallback || fields[key].valid(value)) continue
    throw new ConfigError(`generate: expected ${key} to be ${fields[key].expected}, got ${describe(value)}`)
  }
}

/**
 * The options over a checkpoint's values over the defaults; undefined and null leave a key to what is below.
 *
 * @throws {ConfigError} if a value is out of its range, or values contradict each other.
 */
export function resolveConfig(
  options: Partial<GenerationConfig>,
  checkpoint: Partial<GenerationConfig> = {},
): GenerationConfig {
  const config = Object.fromEntries(
    generationKeys.map((key) => [key, options[key] ?? checkpoint[key] ?? fields[key].fallback]),
  ) as unknown as GenerationConfig
  expectValid(config)
  // What the caller asks for beats what the checkpoint says in other words.
  if ((options.maxLength ?? null) !== null && (options.maxNewTokens ?? null) === null) config.maxNewTokens = null
  if ((options.minLength ?? null) !== null && (options.minNewTokens ?? null) === null) config.minNewTokens = null
  expectConsistent(config)
  return config
}

function expectConsistent(config: GenerationConfig): void {
  const { numBeams, numReturnSequences, doSample, suppressTokens, beamRules } = config
  const refuse = (expected: string, got: string) => {
    throw new ConfigError(`generate: expected ${expected}, got ${got}`)
  }
  if (numBeams > 1 && numReturnSequences > numBeams) {
    refuse(`numReturnSequences of at most numBeams, ${numBeams}`, String(numReturnSequences))
  }
  if (numBeams === 1 && !doSample && numReturnSequences > 1) {
    refuse('doSample or numBeams for more than one of numReturnSequences', 'a greedy search')
  }
  if (beamRules === 't5' && doSample) refuse("beamRules 'huggingface' with doSample", "'t5'")
  for (const key of ['forcedBosTokenId', 'forcedEosTokenId'] as const) {
    const forced = config[key] === null ? [] : [config[key]].flat()
    if (forced.length > 0 && forced.every((id) => suppressTokens?.includes(id))) {
      refuse(`a ${key} that is not among suppressTokens`, forced.join(', '))
    }
  }
}

export function tokenList(ids: TokenIds | null): readonly number[] {
  return ids === null ? [] : [ids].flat()
}
