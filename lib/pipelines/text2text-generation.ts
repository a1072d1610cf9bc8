import { ConfigError } from '../errors.ts'
import { type GenerateOptions, type GenerationConfig, GenerationDefaults, textStream } from '../generate/index.ts'
import { AutoModelForSeq2SeqLM, T5ForConditionalGeneration } from '../models/index.ts'
import type { BatchEncoding } from '../tokenizers/encoding.ts'
import { expectOptions, flag, text, textOf } from './options.ts'
import type { Task, TaskContext } from './task.ts'

/**
 * What is generated, and how: the options of `generate`, over task_specific_params of config.json. Where neither they nor
 * generation_config.json say it, beams are 4 and new tokens at most 256.
 */
export interface Text2TextOptions
  extends Omit<GenerateOptions, 'tokenizer' | 'signal' | 'outputScores' | 'outputLogits'> {
  /** Cuts texts to the tokenizer's `modelMaxLength`. @default false */
  readonly truncation?: boolean
  /** What is put before the text. @default prefix of the task in config.json, else none */
  readonly prefix?: string
  /** Removes the spaces before punctuation and English contractions. @default false */
  readonly cleanUpTokenizationSpaces?: boolean
}

/** With `numReturnSequences` the output is an array. */
export interface SummarizationOptions extends Text2TextOptions {}

export interface TranslationOptions extends Text2TextOptions {
  /** Languages of text and result: `'en'` and `'de'` take the prefix of translation_en_to_de in config.json. */
  readonly srcLang?: string
  readonly tgtLang?: string
}

export interface GeneratedText {
  generatedText: string
}

export interface SummaryText {
  summaryText: string
}

export interface TranslationText {
  translationText: string
}

/** Generates without beams, and gives text as it is found, in pieces that no later token changes. */
export type TextStream<Options> = (
  text: string,
  options?: Omit<Options, 'numReturnSequences' | 'cleanUpTokenizationSpaces'> & { readonly signal?: AbortSignal },
) => AsyncGenerator<string, void>

type Context = TaskContext<T5ForConditionalGeneration>

/** A task that generates text. */
export interface GenerationTask<Options, Output>
  extends Task<string, Options, Output | Output[], T5ForConditionalGeneration> {
  /**
   * @throws {ConfigError} for beams, more than one of `numReturnSequences`, or `cleanUpTokenizationSpaces`, which changes
   *   text that was given.
   */
  stream(context: Context, input: string, options: Options): AsyncGenerator<string, void>
}

/** What config.json says of a task: which prefix, and which options of `generate`. */
interface Settings {
  readonly prefix: string
  readonly values: Partial<GenerationConfig>
}

/** Answers what it is asked to do in words, or whatever the model was trained for. */
export const text2textGeneration = generationTask<Text2TextOptions, GeneratedText>(
  (generatedText) => ({ generatedText }),
  (context, options) => [settingsOf(context, 'text2text-generation'), options],
)

/** Says briefly what a text says. */
export const summarization = generationTask<SummarizationOptions, SummaryText>(
  (summaryText) => ({ summaryText }),
  (context, options) => [settingsOf(context, 'summarization'), options],
)

/** Says the same in another language. */
export const translation = generationTask<TranslationOptions, TranslationText>(
  (translationText) => ({ translationText }),
  (context, { srcLang, tgtLang, ...options }) => [languageSettings(context, srcLang, tgtLang, options.prefix), options],
)

/**
 * @param outputOf makes an output of a text.
 * @param prepare gives the settings of config.json, and what of the options is not used up by choosing them.
 */
function generationTask<Options extends Text2TextOptions, Output>(
  outputOf: (text: string) => Output,
  prepare: (context: Context, options: Options) => [Settings, Text2TextOptions],
): GenerationTask<Options, Output> {
  return {
    classes: [T5ForConditionalGeneration],
    loader: AutoModelForSeq2SeqLM,
    checkInput: (op, input) => textOf(op, input),
    checkOptions(op, options) {
      const own = Object.entries(options).filter(([name]) => Object.hasOwn(ownChecks, name))
      // The rest is for generate to check.
      expectOptions(op, Object.fromEntries(own), ownChecks)
    },
    async run(context, inputs, given) {
      const [settings, { cleanUpTokenizationSpaces = false, ...options }] = prepare(context, given)
      const { encoded, generateOptions } = await prepared(context, inputs, settings, options)
      const { sequences } = await context.model.generate(encoded, generateOptions)
      const texts = await context.tokenizer.batchDecode(sequences, {
        skipSpecialTokens: true,
        cleanUpTokenizationSpaces,
      })
      const outputs = texts.map(outputOf)
      const each = sequences.length / inputs.length
      return inputs.map((_, i) =>
        options.numReturnSequences === undefined ? (outputs[i] as Output) : outputs.slice(i * each, (i + 1) * each),
      )
    },
    async *stream(context, input, given) {
      const [settings, options] = prepare(context, given)
      if ((options.numReturnSequences ?? 1) > 1) {
        throw new ConfigError(
          `${context.op}: expected numReturnSequences 1 of a stream, got ${options.numReturnSequences}`,
        )
      }
      const { encoded, generateOptions } = await prepared(context, [input], settings, { numBeams: 1, ...options })
      yield* textStream(context.model.generateStream(encoded, generateOptions), context.tokenizer)
    },
  }
}

const ownChecks = { truncation: flag, prefix: text, cleanUpTokenizationSpaces: flag, srcLang: text, tgtLang: text }

/** Encodes texts with their prefix; puts options over those of config.json, over generation_config.json, over ours. */
async function prepared(
  { model, tokenizer, signal }: Context,
  inputs: readonly string[],
  settings: Settings,
  { prefix = settings.prefix, truncation = false, ...options }: Text2TextOptions,
): Promise<{ encoded: BatchEncoding; generateOptions: GenerateOptions }> {
  signal?.throwIfAborted()
  const encoded = await tokenizer.encode(
    inputs.map((input) => prefix + input),
    { truncation, paddingSide: 'right' },
  )
  const values: Partial<GenerationConfig> = { ...settings.values }
  // A length in one unit beats config.json's in the other.
  if (options.maxLength !== undefined) delete values.maxNewTokens
  if (options.minLength !== undefined) delete values.minNewTokens
  const said = { ...model.generationConfig.values, ...values, ...options }
  const hasLength = (said.maxLength ?? said.maxNewTokens ?? null) !== null
  const drafts = options.assistantModel !== undefined || (said.promptLookupNumTokens ?? null) !== null
  const generateOptions: GenerateOptions = {
    ...(hasLength ? {} : { maxNewTokens: 256 }),
    ...((said.numBeams ?? null) === null && !drafts ? { numBeams: 4 } : {}),
    numReturnSequences: 1,
    tokenizer,
    ...values,
    ...options,
    ...(signal && { signal }),
  }
  return { encoded, generateOptions }
}

function settingsOf({ model }: Context, task: string): Settings {
  const { json } = model.config
  const own = objectOf(objectOf(json.task_specific_params)[task])
  const prefix = [own.prefix, json.prefix].find((value) => typeof value === 'string') ?? ''
  return { prefix: prefix as string, values: GenerationDefaults.fromJson(own).values }
}

function languageSettings(
  context: Context,
  srcLang: string | undefined,
  tgtLang: string | undefined,
  prefix: string | undefined,
): Settings {
  if (srcLang === undefined && tgtLang === undefined) return settingsOf(context, 'translation')
  const task = `translation_${srcLang}_to_${tgtLang}`
  const known = Object.keys(objectOf(context.model.config.json.task_specific_params))
  if (known.includes(task) || prefix !== undefined) return settingsOf(context, task)
  const pairs = known.flatMap((name) => /^translation_(.+)_to_(.+)$/.exec(name)?.slice(1).join(' to ') ?? [])
  throw new ConfigError(
    `${context.op}: expected srcLang and tgtLang that config.json has a prefix for (${pairs.join(', ') || 'none'}), ` +
      `or a prefix such as "translate English to German: ", got ${srcLang} to ${tgtLang}`,
  )
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
