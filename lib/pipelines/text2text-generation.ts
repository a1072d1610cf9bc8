import type { GenerateOptions } from '../generate/index.ts'
/** What is generated, and how: the options of `generate`, over task_specific_params of config.json. */
export interface Text2TextOptions
  extends Omit<GenerateOptions, 'tokenizer' | 'signal' | 'outputScores' | 'outputLogits'> {
  /** Cuts texts to the tokenizer's `modelMaxLength`. @default false */
  readonly truncation?: boolean
  /** What is put before the text. @default prefix of the task in config.json, else none */
  readonly prefix?: string
  /** Removes the spaces before punctuation and English contractions. @default false */
  readonly cleanUpTokenizationSpaces?: boolean
}

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

/**
 * Generates without beams, and gives text as it is found, in pieces that no later token changes.
 *
 * @throws {ConfigError} for beams, or more than one of `numReturnSequences`.
 */
export type TextStream<Options> = (
  text: string,
  options?: Options & { readonly signal?: AbortSignal },
) => AsyncGenerator<string, void>
