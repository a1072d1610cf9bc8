import { ConfigError, describe } from '../../errors.ts'
import { integerOf } from '../options.ts'
import { Tokenizer } from '../tokenizer.ts'
import { alphabetOf } from './alphabet.ts'
import { electraSpecials, electraTokenizerJson, maxInputCharsPerWord } from './electra-layout.ts'
import { MergingWords } from './merges.ts'
import { Slices } from './slices.ts'
import { filesOf } from './trained-files.ts'
import { countWords, type Texts } from './words.ts'

export interface WordPieceOptions {
  /** Most tokens, special ones included; fewer come out where the texts hold too few that repeat. @default 30522 */
  vocabSize?: number
  /** Pieces seen less often are not made. @default 2 */
  minFrequency?: number
  /** Characters that are kept, the most frequent ones; words with others are unknown. @default 1000 */
  limitAlphabet?: number
  /** @default true */
  lowercase?: boolean
  /** Removes accents; null: where `lowercase` is set. @default null */
  stripAccents?: boolean | null
  /** Makes each CJK character a word. @default true */
  handleChineseChars?: boolean
  /** Most tokens that the model will take. @default 512 */
  modelMaxLength?: number
  signal?: AbortSignal
}

const op = 'trainWordPiece'

/**
 * Learns a WordPiece vocabulary and makes the tokenizer of it that BERT and ELECTRA use: `[PAD] [UNK] [CLS] [SEP]
 * [MASK]` with ids 0 to 4, then characters, then pieces, the most frequent first. Pieces are made by joining the most
 * frequent neighbours, as Hugging Face's WordPieceTrainer does. The same texts give the same tokenizer; the event loop
 * gets its turns meanwhile.
 *
 * @throws {ConfigError} for options out of their range, or a `vocabSize` that the characters alone exceed.
 * @throws {DataError} if the texts hold no word; {DTypeError} for what is not a text.
 * @see Sennrich et al. 2016, Neural Machine Translation of Rare Words with Subword Units. https://arxiv.org/abs/1508.07909
 */
export async function trainWordPiece(texts: Texts, options: WordPieceOptions = {}): Promise<Tokenizer> {
  const { lowercase = true, stripAccents = null, handleChineseChars = true } = options
  const { vocabSize = 30522, minFrequency = 2, limitAlphabet = 1000, modelMaxLength = 512, signal } = options
  integerOf(vocabSize, 1, `${op}: expected vocabSize`)
  integerOf(minFrequency, 1, `${op}: expected minFrequency`)
  integerOf(limitAlphabet, 1, `${op}: expected limitAlphabet`)
  integerOf(modelMaxLength, 1, `${op}: expected modelMaxLength`)
  for (const [name, value] of Object.entries({ lowercase, stripAccents: stripAccents ?? false, handleChineseChars })) {
    if (typeof value !== 'boolean')
      throw new ConfigError(`${op}: expected ${name} to be boolean, got ${describe(value)}`)
  }
  const slices = new Slices(signal)
  const json = electraTokenizerJson({ lowercase, stripAccents, handleChineseChars })
  const words = await countWords(op, texts, JSON.stringify(json), slices)
  const vocabulary = await learn(words, vocabSize, minFrequency, limitAlphabet, slices)
  const model = { ...(json.model as object), vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])) }
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: modelMaxLength,
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    mask_token: '[MASK]',
  }
  return Tokenizer.fromFiles(filesOf({ ...json, model }, config), op)
}

/** Tokens by id. */
async function learn(
  words: ReadonlyMap<string, number>,
  vocabSize: number,
  minFrequency: number,
  limitAlphabet: number,
  slices: Slices,
): Promise<string[]> {
  const alphabet = await alphabetOf(words, limitAlphabet, slices)
  const spelt = await speltWords(words, alphabet, slices)
  const tokens = [...electraSpecials, ...[...alphabet].sort(), ...[...spelt.continuing].sort()]
  if (tokens.length > vocabSize) {
    const needs = `${electraSpecials.length} special tokens and ${tokens.length - electraSpecials.length} characters`
    throw new ConfigError(`${op}: expected vocabSize >= ${tokens.length} for ${needs}, got ${vocabSize}`)
  }
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const merging = new MergingWords()
  for (const { spelling, count } of spelt.words) {
    const symbols = spelling.map((token) => ids.get(token) as number)
    merging.add(symbols, count)
    if (slices.due) await slices.rest()
  }
  await merging.countPairs(slices)
  while (tokens.length < vocabSize) {
    const pair = merging.pop(minFrequency)
    if (!pair) break
    const [left, right] = pair.map((id) => tokens[id] as string) as [string, string]
    const joined = left + right.slice(2)
    if (!ids.has(joined)) {
      ids.set(joined, tokens.length)
      tokens.push(joined)
    }
    await merging.merge(...pair, ids.get(joined) as number, slices)
  }
  return tokens
}

/**
 * The words that can be written in the alphabet: the first character as it is, the others marked as continuing; and the
 * marked characters that came up.
 */
async function speltWords(words: ReadonlyMap<string, number>, alphabet: ReadonlySet<string>, slices: Slices) {
  const spelt: { spelling: string[]; count: number }[] = []
  const continuing = new Set<string>()
  for (const [word, count] of words) {
    const characters = [...word]
    if (characters.length <= maxInputCharsPerWord && characters.every((character) => alphabet.has(character))) {
      const spelling = characters.map((character, i) => (i === 0 ? character : `##${character}`))
      for (const token of spelling.slice(1)) continuing.add(token)
      spelt.push({ spelling, count })
    }
    if (slices.due) await slices.rest()
  }
  return { words: spelt, continuing }
}
