import { ConfigError, describe, IndexError, ShapeError } from '../errors.ts'
import { assistedSearch } from './assisted-search.ts'
import { beamSearch } from './beam-search.ts'
import { type GenerationConfig, isGenerationKey, tokenList } from './config.ts'
import { isUnsupported } from './defaults.ts'
import { type Draft, ModelDraft, PromptLookup } from './draft.ts'
import type { DecoderState, EncoderInputs, GenerativeModel } from './model.ts'
import { buildProcessors, type LogitsProcessor, type PrefixAllowedTokensFn } from './processors.ts'
import { type Found, queued, type Run, type StepScores } from './run.ts'
import { padded, Sequence } from './sequence.ts'
import { Stopping, type StoppingCriterion, type TokenDecoder } from './stopping.ts'
import { type TokenStep, tokenSearch } from './token-search.ts'

/** What `generate` takes beside the inputs: the configuration's keys, over the checkpoint's, and what no file can say. */
export interface GenerateOptions extends Partial<GenerationConfig> {
  /** Tokens that a sequence may go on with. */
  readonly prefixAllowedTokensFn?: PrefixAllowedTokensFn
  /** Further changes to scores, after the configuration's and before the rules of sampling. */
  readonly logitsProcessors?: readonly LogitsProcessor[]
  /** Ends a sequence where it gives true. */
  readonly stoppingCriterion?: StoppingCriterion
  /** For `stopStrings`. */
  readonly tokenizer?: TokenDecoder
  /** A smaller model with the same vocabulary, whose drafts the model checks several at a time. */
  readonly assistantModel?: GenerativeModel
  /** Stops at the current step; the call rejects with its reason. */
  readonly signal?: AbortSignal
}

/** What a model's own class checked before. */
export interface GenerateInputs {
  readonly encoder: EncoderInputs
  /** Ids that each sentence's decoder starts with, all of one length. @default its start token */
  readonly prompts?: readonly Int32Array[] | undefined
  /** How many ids at the beginning of each prompt are padding. @default none */
  readonly promptPadding?: readonly number[] | undefined
}

export interface GenerateOutput {
  /** The sequences of each sentence one after the other, prompts included, of one length: shorter ones are filled up. */
  readonly sequences: readonly Int32Array[]
  /** Of beams: the sum of log-probabilities divided by the length penalty; else null. */
  readonly sequencesScores: Float32Array | null
  /** Of beams: for each generated token the row of `scores` that it was chosen from; else null. */
  readonly beamIndices: readonly Int32Array[] | null
  /** With `outputScores`: for each step and row what it chose from, (V); null for a row that had ended. */
  readonly scores: readonly StepScores[] | null
  /** With `outputLogits`: the model's own logits, as `scores`. */
  readonly logits: readonly StepScores[] | null
  /** The seed of what was drawn; null without `doSample`. */
  readonly seed: number | null
}

/**
 * Generates sequences.
 *
 * @throws {ConfigError} for options that are unknown, out of their range or contradict each other.
 * @throws {IndexError} for a token id beyond the vocabulary.
 * @throws {DataError} if a logit is NaN, or no token is left to choose.
 * @throws the signal's reason when it is aborted.
 */
export async function generate(
  model: GenerativeModel,
  inputs: GenerateInputs,
  options: GenerateOptions = {},
): Promise<GenerateOutput> {
  const call = prepare(model, inputs, options)
  if (call.run.config.numBeams > 1) return beams(call)
  const steps = tokens(call)
  for (;;) {
    const { done, value } = await steps.next()
    if (done) return value
  }
}

/**
 * Generates sequences, and gives tokens as they are found: at each step, which rows go on with which tokens. Ends with what
 * `generate` gives. When the consumer stops iterating, the search ends and its memory is given back.
 *
 * @throws {ConfigError} at the call, for beams, which change their past; else as `generate`.
 */
export function generateStream(
  model: GenerativeModel,
  inputs: GenerateInputs,
  options: GenerateOptions = {},
): AsyncGenerator<TokenStep, GenerateOutput> {
  const call = prepare(model, inputs, options)
  const { numBeams } = call.run.config
  if (numBeams > 1) {
    throw new ConfigError(`generateStream: expected numBeams 1, got ${numBeams}: beams change their past`)
  }
  return tokens(call)
}

interface Call {
  readonly model: GenerativeModel
  readonly inputs: GenerateInputs
  readonly options: GenerateOptions
  readonly run: Run
}

async function beams({ model, inputs, run }: Call): Promise<GenerateOutput> {
  const state = startDecoding(model, inputs, run, run.config.numBeams)
  try {
    const found = await beamSearch(run, state)
    const { padTokenId, eosTokenId } = run.config
    // As in Hugging Face's search, a padding id of 0 counts as none.
    const fill = padTokenId || (tokenList(eosTokenId)[0] ?? 0)
    const { sequencesScores, beamIndices } = found
    return { ...outputOf(run, found, fill), sequencesScores, beamIndices }
  } finally {
    state.dispose()
  }
}

async function* tokens({ model, inputs, options, run }: Call): AsyncGenerator<TokenStep, GenerateOutput> {
  const { config, prompts, maxLength } = run
  const perSentence = config.numReturnSequences
  const sequences = prompts.flatMap((prompt, sentence) =>
    Array.from(
      { length: perSentence },
      (_, n) => new Sequence(prompt, maxLength, sentence, sentence * perSentence + n),
    ),
  )
  const state = startDecoding(model, inputs, run, perSentence)
  let draft: Draft | null = null
  try {
    draft = draftOf(inputs, options, run)
    const settings = {
      most: config.promptLookupNumTokens ?? config.numAssistantTokens,
      heuristic: options.assistantModel !== undefined && config.numAssistantTokensSchedule === 'heuristic',
    }
    const found = draft
      ? yield* assistedSearch(run, state, sequences, draft, settings)
      : yield* tokenSearch(run, state, sequences)
    return outputOf(run, found, config.padTokenId ?? tokenList(config.eosTokenId)[0] ?? 0)
  } finally {
    draft?.dispose()
    state.dispose()
  }
}

function draftOf(inputs: GenerateInputs, { assistantModel }: GenerateOptions, run: Run): Draft | null {
  const { promptLookupNumTokens, maxMatchingNgramSize } = run.config
  if (promptLookupNumTokens !== null) return new PromptLookup(rowsOf(inputs.encoder), maxMatchingNgramSize)
  if (!assistantModel) return null
  return new ModelDraft(startDecoding(assistantModel, inputs, run, 1), run.prompts.length)
}

/** Runs the encoder, and makes the decoder with a number of rows for each sentence. */
function startDecoding(
  model: GenerativeModel,
  { encoder, promptPadding }: GenerateInputs,
  run: Run,
  perSentence: number,
): DecoderState {
  run.signal?.throwIfAborted()
  const rows = Array.from({ length: encoder.batch * perSentence }, (_, row) => Math.floor(row / perSentence))
  const { state } = queued(model, () => ({
    state: model.startDecoding(encoder, { rows: rows.length, length: run.maxLength, promptPadding }),
  }))
  try {
    if (perSentence > 1) queued(model, () => state.select(rows))
  } catch (error) {
    state.dispose()
    throw error
  }
  return state
}

function outputOf({ config, seed }: Run, { sequences, scores, logits }: Found, fill: number): GenerateOutput {
  return {
    sequences: padded(sequences, fill),
    sequencesScores: null,
    beamIndices: null,
    scores,
    logits,
    seed: config.doSample ? seed : null,
  }
}

const callOptions = [
  'prefixAllowedTokensFn',
  'logitsProcessors',
  'stoppingCriterion',
  'tokenizer',
  'assistantModel',
  'signal',
]

/** Checks a call and puts together what its search reads. */
function prepare(model: GenerativeModel, inputs: GenerateInputs, options: GenerateOptions): Call {
  for (const key of Object.keys(options)) {
    if (isGenerationKey(key) || callOptions.includes(key)) continue
    const expected = isUnsupported(key) ? `no ${key}, which is not supported` : 'a known option'
    throw new ConfigError(`generate: expected ${expected}, got ${JSON.stringify(key)}`)
  }
  const config = model.generationConfig.resolve(options)
  expectTokensBelow(config, model.vocabSize)
  expectGreedyDraft(config, model, options)
  const prompts = promptsOf(inputs, config)
  const promptLength = (prompts[0] as Int32Array).length
  const maxLength =
    config.maxNewTokens === null ? (config.maxLength ?? promptLength + 20) : promptLength + config.maxNewTokens
  if (maxLength <= promptLength) {
    throw new ConfigError(
      `generate: expected maxLength above the decoder's prompt of ${promptLength}, got ${maxLength}`,
    )
  }
  const { prefixAllowedTokensFn, logitsProcessors, stoppingCriterion, tokenizer, signal } = options
  const encoderIds = rowsOf(inputs.encoder)
  const run = {
    config,
    seed: config.seed ?? Math.floor(Math.random() * 2 ** 48),
    promptLength,
    maxLength,
    prompts,
    processors: buildProcessors({
      config,
      promptLength,
      maxLength,
      encoderIds,
      prefixAllowedTokensFn,
      logitsProcessors,
    }),
    stopping: new Stopping({ config, maxLength, tokenizer, stoppingCriterion }),
    signal,
  }
  return { model, inputs, options, run }
}

function expectTokensBelow(config: GenerationConfig, vocabSize: number): void {
  const named: [name: string, ids: readonly number[]][] = [
    ['eosTokenId', tokenList(config.eosTokenId)],
    ['decoderStartTokenId', tokenList(config.decoderStartTokenId)],
    ['forcedBosTokenId', tokenList(config.forcedBosTokenId)],
    ['forcedEosTokenId', tokenList(config.forcedEosTokenId)],
    ['suppressTokens', config.suppressTokens ?? []],
    ['beginSuppressTokens', config.beginSuppressTokens ?? []],
    ['badWordsIds', (config.badWordsIds ?? []).flat()],
    ['sequenceBias', (config.sequenceBias ?? []).flatMap(([ids]) => ids)],
  ]
  for (const [name, ids] of named) {
    const wrong = ids.find((id) => id >= vocabSize)
    if (wrong !== undefined) throw new IndexError(`generate: expected ${name} below ${vocabSize}, got ${wrong}`)
  }
}

function expectGreedyDraft(
  config: GenerationConfig,
  model: GenerativeModel,
  { assistantModel }: GenerateOptions,
): void {
  if (!assistantModel && config.promptLookupNumTokens === null) return
  const what = assistantModel ? 'assistantModel' : 'promptLookupNumTokens'
  const refuse = (expected: string, got: string) => {
    throw new ConfigError(`generate: expected ${expected} with ${what}, got ${got}`)
  }
  if (assistantModel && config.promptLookupNumTokens !== null) refuse('no promptLookupNumTokens', 'both')
  if (config.doSample || config.numBeams > 1)
    refuse('a greedy search', config.doSample ? 'doSample' : 'numBeams above 1')
  if (!config.useCache) refuse('useCache', 'false')
  if (assistantModel && assistantModel.vocabSize !== model.vocabSize) {
    refuse(`a vocabulary of ${model.vocabSize}`, String(assistantModel.vocabSize))
  }
}

function promptsOf({ encoder, prompts }: GenerateInputs, config: GenerationConfig): readonly Int32Array[] {
  if (prompts) {
    const lengths = new Set(prompts.map(({ length }) => length))
    if (prompts.length === encoder.batch && lengths.size === 1 && !lengths.has(0)) return prompts
    throw new ShapeError(`generate: expected ${encoder.batch} decoder prompts of one length, got ${describe(prompts)}`)
  }
  const start = config.decoderStartTokenId ?? config.bosTokenId
  if (start === null) throw new ConfigError('generate: expected decoderStartTokenId or bosTokenId, got neither')
  const ids = typeof start === 'number' ? new Array<number>(encoder.batch).fill(start) : start
  if (ids.length !== encoder.batch) {
    throw new ShapeError(`generate: expected decoderStartTokenId for ${encoder.batch} sentences, got ${ids.length}`)
  }
  return ids.map((id) => Int32Array.of(id))
}

/** Ids of each sentence's input, padding included. */
function rowsOf({ inputIds, batch, length }: EncoderInputs): Int32Array[] {
  return Array.from({ length: batch }, (_, b) => inputIds.subarray(b * length, (b + 1) * length))
}
