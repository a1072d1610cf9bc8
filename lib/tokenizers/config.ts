import { type Json, malformed, objectOf, stringOf } from './json.ts'
import type { Side } from './truncation.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Special tokens that have a role in a sequence. */
export type Role = 'bos' | 'eos' | 'unk' | 'pad' | 'cls' | 'sep' | 'mask'

/** What a special token is called where tokenizer_config.json does not say. */
const usualNames: Readonly<Record<Role, readonly string[]>> = {
  bos: ['<s>'],
  eos: ['</s>'],
  unk: ['<unk>', '[UNK]'],
  pad: ['<pad>', '[PAD]'],
  cls: ['[CLS]'],
  sep: ['[SEP]'],
  mask: ['[MASK]', '<mask>'],
}

/** @internal What tokenizer_config.json and special_tokens_map.json say. */
export interface TokenizerConfig {
  readonly roles: Readonly<Partial<Record<Role, string>>>
  readonly additionalSpecialTokens: readonly string[]
  readonly modelMaxLength: number
  readonly paddingSide: Side
  readonly truncationSide: Side
  readonly cleanUpTokenizationSpaces: boolean
  /** What replaces the settings of a BertNormalizer. */
  readonly normalizer: Json
}

/** @internal A config and the file that it was read from, for messages. */
export interface ConfigFile {
  readonly json: Json
  readonly file: string
}

/**
 * @internal
 * @param map special_tokens_map.json, which counts where the config says nothing.
 */
export function configOf(config: ConfigFile, map: ConfigFile, vocabulary: Vocabulary): TokenizerConfig {
  const { json, file } = config
  return {
    roles: rolesOf(config, map, vocabulary),
    additionalSpecialTokens: additionalOf(config, map, vocabulary),
    modelMaxLength: maxLengthOf(json.model_max_length, file),
    paddingSide: sideOf(json.padding_side, 'padding_side', file),
    truncationSide: sideOf(json.truncation_side, 'truncation_side', file),
    cleanUpTokenizationSpaces:
      booleanOf(json.clean_up_tokenization_spaces, 'clean_up_tokenization_spaces', file) ?? false,
    normalizer: normalizerOf(config),
  }
}

function rolesOf(config: ConfigFile, map: ConfigFile, vocabulary: Vocabulary): Partial<Record<Role, string>> {
  const roles: Partial<Record<Role, string>> = {}
  for (const [role, names] of Object.entries(usualNames) as [Role, readonly string[]][]) {
    const key = `${role}_token`
    const source = [config, map].find(({ json }) => json[key] !== undefined && json[key] !== null)
    const token = source
      ? knownToken(source.json[key], key, source.file, vocabulary)
      : names.find((name) => vocabulary.special.has(name))
    if (token !== undefined) roles[role] = token
  }
  return roles
}

function additionalOf(config: ConfigFile, map: ConfigFile, vocabulary: Vocabulary): string[] {
  const keys = ['additional_special_tokens', 'extra_special_tokens']
  for (const { json, file } of [config, map]) {
    const key = keys.find((name) => json[name] !== undefined && json[name] !== null)
    if (key === undefined) continue
    const value = json[key]
    const tokens = Array.isArray(value) ? value : Object.values(objectOf(value, file, `a list as ${key}`))
    return tokens.map((token) => knownToken(token, key, file, vocabulary))
  }
  return []
}

/** A token is written as itself, or as an object with its content. */
function knownToken(value: unknown, key: string, file: string, vocabulary: Vocabulary): string {
  const content = typeof value === 'string' ? value : objectOf(value, file, `a token as ${key}`).content
  const token = stringOf(content, file, `a token as ${key}`)
  if (!vocabulary.ids.has(token)) throw malformed(file, `a token of tokenizer.json as ${key}`, token)
  return token
}

function maxLengthOf(value: unknown, file: string): number {
  if (value === undefined || value === null) return Infinity
  if (typeof value !== 'number' || !(value >= 1)) throw malformed(file, 'a number >= 1 as model_max_length', value)
  // Hugging Face writes 1e30 for "no limit".
  return value > Number.MAX_SAFE_INTEGER ? Infinity : Math.floor(value)
}

function sideOf(value: unknown, key: string, file: string): Side {
  if (value === undefined || value === null) return 'right'
  if (value === 'left' || value === 'right') return value
  throw malformed(file, `left or right as ${key}`, value)
}

function booleanOf(value: unknown, key: string, file: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'boolean') return value
  throw malformed(file, `true or false as ${key}`, value)
}

function normalizerOf({ json, file }: ConfigFile): Json {
  const settings = {
    lowercase: booleanOf(json.do_lower_case, 'do_lower_case', file),
    strip_accents: booleanOf(json.strip_accents, 'strip_accents', file),
    handle_chinese_chars: booleanOf(json.tokenize_chinese_chars, 'tokenize_chinese_chars', file),
  }
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
