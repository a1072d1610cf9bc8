import { ConfigError, describe } from '../../errors.ts'
import { integerOf } from '../options.ts'
import { Tokenizer } from '../tokenizer.ts'
import { alphabetOf } from './alphabet.ts'
import { learnPieces, type ScoredPiece } from './pieces.ts'
import { Slices } from './slices.ts'
import { spell } from './spelt-words.ts'
import { byteTokens, sentinels, t5Specials, t5TokenizerJson } from './t5-layout.ts'
import { filesOf } from './trained-files.ts'
import { countWords, type Texts } from './words.ts'

export interface UnigramOptions {
  /** Most tokens, special ones and sentinels included; fewer come out where the texts hold too few that repeat. @default 32100 */
  vocabSize?: number
  /** Number of sentinels `<extra_id_0>`, `<extra_id_1>`, …; the first has the last id. @default 100 */
  extraIds?: number
  /** Writes unknown characters as tokens of their UTF-8 bytes, 256 more, instead of `<unk>`. @default false */
  byteFallback?: boolean
  /** Characters that are kept, the most frequent ones; others are unknown. @default 1000 */
  limitAlphabet?: number
  /** Longest piece, in characters. @default 16 */
  maxPieceLength?: number
  /** Repeated substrings that the training begins with, beside the characters. @default 1000000 */
  seedSize?: number
  /** Share of the pieces that a round leaves, between 0 and 1. @default 0.75 */
  shrinkingFactor?: number
  /** Steps of expectation maximization in a round. @default 2 */
  nSubIterations?: number
  /** Most tokens that the model will take. @default 512 */
  modelMaxLength?: number
  signal?: AbortSignal
}

const op = 'trainUnigram'

/**
 * Learns a Unigram vocabulary and makes the tokenizer of it that T5 uses: `<pad> </s> <unk>` with ids 0 to 2, bytes where
 * asked for, then pieces, the most likely first, and sentinels, the last one first. Words begin with `▁`; pieces do not
 * reach across words. The same texts give the same tokenizer; the event loop gets its turns meanwhile.
 *
 * @throws {ConfigError} for options out of their range, or a `vocabSize` that special tokens and characters alone exceed.
 * @throws {DataError} if the texts hold no word; {DTypeError} for what is not a text.
 * @see Kudo 2018, Subword Regularization. https://arxiv.org/abs/1804.10959
 */
export async function trainUnigram(texts: Texts, options: UnigramOptions = {}): Promise<Tokenizer> {
  const { vocabSize = 32100, extraIds = 100, byteFallback = false, limitAlphabet = 1000 } = options
  const { maxPieceLength = 16, seedSize = 1_000_000, shrinkingFactor = 0.75, nSubIterations = 2 } = options
  const { modelMaxLength = 512, signal } = options
  integerOf(vocabSize, 1, `${op}: expected vocabSize`)
  integerOf(extraIds, 0, `${op}: expected extraIds`)
  integerOf(limitAlphabet, 1, `${op}: expected limitAlphabet`)
  integerOf(maxPieceLength, 1, `${op}: expected maxPieceLength`)
  integerOf(seedSize, 1, `${op}: expected seedSize`)
  integerOf(nSubIterations, 1, `${op}: expected nSubIterations`)
  integerOf(modelMaxLength, 1, `${op}: expected modelMaxLength`)
  if (typeof byteFallback !== 'boolean') {
    throw new ConfigError(`${op}: expected byteFallback to be boolean, got ${describe(byteFallback)}`)
  }
  if (!(shrinkingFactor > 0 && shrinkingFactor < 1)) {
    throw new ConfigError(`${op}: expected shrinkingFactor between 0 and 1, got ${describe(shrinkingFactor)}`)
  }
  const slices = new Slices(signal)
  const words = await countWords(op, texts, JSON.stringify(t5TokenizerJson(t5Specials.length, 0, byteFallback)), slices)
  const specials = byteFallback ? [...t5Specials, ...byteTokens] : t5Specials
  const alphabet = [...new Set([...(await alphabetOf(words, limitAlphabet, slices)), ...specials.join('')])]
  const size = vocabSize - specials.length - extraIds
  if (alphabet.length > size) {
    const needs = `${specials.length} special tokens, ${extraIds} sentinels and ${alphabet.length} characters`
    throw new ConfigError(
      `${op}: expected vocabSize >= ${vocabSize + alphabet.length - size} for ${needs}, got ${vocabSize}`,
    )
  }
  const spelt = await spell(words, alphabet, slices)
  const settings = { size, maxPieceLength, seedSize, shrinkingFactor, nSubIterations }
  const pieces = withCharacters(await learnPieces(spelt, settings, slices), alphabet)
  const vocab = withSpecials(pieces, specials)
  const json = t5TokenizerJson(vocab.length, extraIds, byteFallback)
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: modelMaxLength,
    clean_up_tokenization_spaces: false,
    pad_token: '<pad>',
    eos_token: '</s>',
    unk_token: '<unk>',
    additional_special_tokens: sentinels(extraIds),
  }
  return Tokenizer.fromFiles(filesOf({ ...json, model: { ...(json.model as object), vocab } }, config), op)
}

/** Characters that are in special tokens alone come last. */
function withCharacters(pieces: readonly ScoredPiece[], alphabet: readonly string[]): ScoredPiece[] {
  const known = new Set(pieces.map(([piece]) => piece))
  const [, lowest] = pieces.at(-1) as ScoredPiece
  return [...pieces, ...alphabet.filter((character) => !known.has(character)).map((each) => [each, lowest] as const)]
}

/**
 * Special tokens score lower than their characters do together (6 at most), so that a text which spells them without
 * being them, such as `<0x41>`, or `＜unk＞` before NFKC, is cut into characters. Scores are short enough for every JSON
 * parser to read the same number.
 */
function withSpecials(pieces: readonly ScoredPiece[], specials: readonly string[]): ScoredPiece[] {
  const [, lowest] = pieces.at(-1) as ScoredPiece
  const score = Math.floor(8 * lowest) - 1
  return [
    ...specials.map((special) => [special, score] as const),
    ...pieces.map(([piece, score]) => [piece, Math.round(score * 1e9) / 1e9] as const),
  ]
}
