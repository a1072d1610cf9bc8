import { ConfigError, DTypeError, describe } from '../errors.ts'
import type { Side, TruncationStrategy } from './truncation.ts'

export interface PadOptions {
  /** `'longest'` (or true): to the longest sequence; `'max_length'`: to `maxLength`; false: not. */
  padding?: boolean | 'longest' | 'max_length'
  /** Tokens, special ones included. @default the tokenizer's modelMaxLength */
  maxLength?: number
  /** Pads further, to a multiple of this. */
  padToMultipleOf?: number
  /** @default the tokenizer's paddingSide */
  paddingSide?: Side
}

export interface EncodeOptions extends PadOptions {
  /** Surrounds texts with the special tokens that the model expects. @default true */
  addSpecialTokens?: boolean
  /** Cuts sequences to `maxLength`; true is `'longest_first'`. @default false */
  truncation?: boolean | TruncationStrategy
  /** Tokens that overflowing sequences share with the one before. @default 0 */
  stride?: number
  /** Where tokens are cut off. @default the tokenizer's truncationSide */
  truncationSide?: Side
  /** What truncation cuts off is kept: as `overflowing`, and in a batch as rows that follow. @default false */
  returnOverflowingTokens?: boolean
}

export interface EncodeTextOptions extends EncodeOptions {
  /** Second text of a pair. */
  textPair?: string
}

export interface EncodeBatchOptions extends EncodeOptions {
  /** (B) second texts of pairs. */
  textPair?: readonly string[]
}

/** A text, or a pair of texts. */
export type TextInput = string | readonly [text: string, textPair: string]

/** @internal */
export function truncationStrategyOf(value: unknown): TruncationStrategy | null {
  if (value === undefined || value === false) return null
  if (value === true) return 'longest_first'
  if (value === 'longest_first' || value === 'only_first' || value === 'only_second') return value
  throw new ConfigError(
    `encode: expected truncation to be a boolean, longest_first, only_first or only_second, got ${describe(value)}`,
  )
}

/** @internal */
export function paddingStrategyOf(value: unknown): 'longest' | 'max_length' | null {
  if (value === undefined || value === false) return null
  if (value === true) return 'longest'
  if (value === 'longest' || value === 'max_length') return value
  throw new ConfigError(`pad: expected padding to be a boolean, longest or max_length, got ${describe(value)}`)
}

/** @internal */
export function integerOf(value: unknown, minimum: number, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= minimum) return value as number
  throw new ConfigError(`${what} >= ${minimum}, got ${describe(value)}`)
}

/** @internal */
export function sideOf(value: unknown, what: string): Side {
  if (value === 'left' || value === 'right') return value
  throw new ConfigError(`${what} to be left or right, got ${describe(value)}`)
}

/** @internal The texts of each sample, one or two. */
export function samplesOf(input: unknown, textPair: unknown): (readonly string[])[] {
  if (typeof input === 'string') return [textPair === undefined ? [input] : [input, textOf(textPair, 'textPair')]]
  if (!Array.isArray(input))
    throw new DTypeError(`encode: expected a text or an array of texts, got ${describe(input)}`)
  if (textPair === undefined) return input.map(sampleOf)
  if (!Array.isArray(textPair) || textPair.length !== input.length) {
    throw new DTypeError(`encode: expected textPair to be ${input.length} texts, got ${describe(textPair)}`)
  }
  return input.map((text, i) => [textOf(text, `text ${i}`), textOf(textPair[i], `textPair ${i}`)])
}

function sampleOf(value: unknown, index: number): readonly string[] {
  if (!Array.isArray(value)) return [textOf(value, `text ${index}`)]
  if (value.length !== 2) throw new DTypeError(`encode: expected text ${index} to be a pair, got ${describe(value)}`)
  return value.map((text) => textOf(text, `text ${index}`))
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw new DTypeError(`encode: expected ${what} to be a string, got ${describe(value)}`)
}
