import { createHash } from 'node:crypto'
import type { Tokenizer as LibraryTokenizer } from '@anush008/tokenizers'
import { ConfigError, describe, IndexError, ShapeError } from '../errors.ts'
import { type ConfigFile, configOf, type Role, type TokenizerConfig } from './config.ts'
import { BatchEncoding, Encoding, type Part, partsOf } from './encoding.ts'
import { type TokenizerFiles, writeFiles } from './files.ts'
import { parseJson } from './json.ts'
import { type LibrarySource, librarySource, libraryTokenizer } from './library.ts'
import {
  type EncodeBatchOptions,
  type EncodeOptions,
  type EncodeTextOptions,
  integerOf,
  type PadOptions,
  paddingStrategyOf,
  samplesOf,
  sideOf,
  type TextInput,
  truncationStrategyOf,
} from './options.ts'
import { type Template, templateOf } from './template.ts'
import { readSpan, type Span, TokenizedText, wholeSpan } from './tokenized-text.ts'
import { type Side, type TruncationStrategy, windowsOf } from './truncation.ts'
import { type Vocabulary, vocabularyOf } from './vocabulary.ts'

export interface DecodeOptions {
  /** @default false */
  skipSpecialTokens?: boolean
  /** Removes the spaces before punctuation and English contractions. @default what tokenizer_config.json says, else false */
  cleanUpTokenizationSpaces?: boolean
}

/** What the options of a call say of truncation. */
interface TruncationPlan {
  readonly strategy: TruncationStrategy
  readonly maxLength: number
  readonly stride: number
  readonly side: Side
  /** Texts are read to their ends, since what is cut off is wanted. */
  readonly readsAll: boolean
}

/**
 * Turns text into the ids that a model takes, and ids into text, as the `tokenizer.json` of a Hugging Face folder says.
 * Text is split and joined by Hugging Face's own code on other threads; truncation and padding happen here.
 */
export class Tokenizer {
  readonly #library: LibraryTokenizer
  /** @internal For tokenizers in other threads. */
  readonly librarySource: LibrarySource
  readonly #vocabulary: Vocabulary
  readonly #template: Template
  readonly #config: TokenizerConfig
  readonly #files: TokenizerFiles

  private constructor(
    library: LibraryTokenizer,
    source: LibrarySource,
    vocabulary: Vocabulary,
    template: Template,
    config: TokenizerConfig,
    files: TokenizerFiles,
  ) {
    this.#library = library
    this.librarySource = source
    this.#vocabulary = vocabulary
    this.#template = template
    this.#config = config
    this.#files = files
  }

  /**
   * @internal
   * @param folder where the files were read, for messages.
   */
  static async fromFiles(files: TokenizerFiles, folder: string): Promise<Tokenizer> {
    const read = (name: string): ConfigFile => {
      const file = `${folder}/${name}`
      return { json: files.has(name) ? parseJson(textOf(files, name), file) : {}, file }
    }
    const { json, file } = read('tokenizer.json')
    const vocabulary = vocabularyOf(json, file)
    const config = configOf(read('tokenizer_config.json'), read('special_tokens_map.json'), vocabulary)
    const template = templateOf(json.post_processor, file)
    const tokenizerFile = { json, text: textOf(files, 'tokenizer.json'), file }
    const source = librarySource(tokenizerFile, config, vocabulary)
    const library = await libraryTokenizer(source, tokenizerFile, vocabulary)
    return new Tokenizer(library, source, vocabulary, template, config, files)
  }

  /** SHA-256 of the tokenizer's files, in hexadecimal digits: tokenizers of one fingerprint give the same ids. */
  get fingerprint(): string {
    const hash = createHash('sha256')
    for (const [name, bytes] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`${name} ${bytes.length}\n`).update(bytes)
    }
    return hash.digest('hex')
  }

  /** Number of tokens of the vocabulary, without those that were added to it. */
  get vocabSize(): number {
    return this.#vocabulary.modelSize
  }

  /** Number of tokens, added ones included: ids are below it unless the vocabulary has holes. */
  get length(): number {
    return this.#vocabulary.ids.size
  }

  /** Most tokens that the model takes; Infinity where the tokenizer's files do not say. */
  get modelMaxLength(): number {
    return this.#config.modelMaxLength
  }

  get paddingSide(): Side {
    return this.#config.paddingSide
  }

  get truncationSide(): Side {
    return this.#config.truncationSide
  }

  get bosToken(): string | null {
    return this.#tokenOf('bos')
  }

  get bosTokenId(): number | null {
    return this.#idOf('bos')
  }

  get eosToken(): string | null {
    return this.#tokenOf('eos')
  }

  get eosTokenId(): number | null {
    return this.#idOf('eos')
  }

  get unkToken(): string | null {
    return this.#tokenOf('unk')
  }

  get unkTokenId(): number | null {
    return this.#idOf('unk')
  }

  get padToken(): string | null {
    return this.#tokenOf('pad')
  }

  get padTokenId(): number | null {
    return this.#idOf('pad')
  }

  get clsToken(): string | null {
    return this.#tokenOf('cls')
  }

  get clsTokenId(): number | null {
    return this.#idOf('cls')
  }

  get sepToken(): string | null {
    return this.#tokenOf('sep')
  }

  get sepTokenId(): number | null {
    return this.#idOf('sep')
  }

  get maskToken(): string | null {
    return this.#tokenOf('mask')
  }

  get maskTokenId(): number | null {
    return this.#idOf('mask')
  }

  /** Special tokens without a role, such as T5's sentinels `<extra_id_0>`, … */
  get additionalSpecialTokens(): readonly string[] {
    return this.#config.additionalSpecialTokens
  }

  /** All tokens that `decode` leaves out with `skipSpecialTokens`. */
  get allSpecialTokens(): string[] {
    const { roles, additionalSpecialTokens } = this.#config
    return [...new Set([...Object.values(roles), ...additionalSpecialTokens, ...this.#vocabulary.special])]
  }

  get allSpecialIds(): number[] {
    return this.allSpecialTokens.map((token) => this.#vocabulary.ids.get(token) as number)
  }

  /** Ids by token, added tokens included. */
  getVocab(): ReadonlyMap<string, number> {
    return this.#vocabulary.ids
  }

  /** The id of a token as the vocabulary has it (`▁Hello`, `##ing`); null for none. */
  tokenToId(token: string): number | null {
    return this.#vocabulary.ids.get(token) ?? null
  }

  /** The token of an id; null for none. */
  idToToken(id: number): string | null {
    return this.#vocabulary.tokens[id] ?? null
  }

  /** Text of tokens as the vocabulary has them, which need not be in it. */
  convertTokensToString(tokens: readonly string[]): string {
    const decoder = this.#library.getDecoder()
    return decoder ? decoder.decode([...tokens]) : tokens.join(' ')
  }

  /** @internal What tokens begin with that go on with a word; null where the vocabulary does not mark them. */
  get continuingPrefix(): string | null {
    return this.#vocabulary.continuingPrefix
  }

  /** Special tokens that surround a text, or a pair of texts. */
  numSpecialTokensToAdd(pair = false): number {
    return this.#template[pair ? 'pair' : 'single'].filter((piece) => piece.kind === 'special').length
  }

  /**
   * One text, or a pair, as ids.
   *
   * @param text any string; a lone surrogate counts as U+FFFD.
   * @returns one sequence; padded only if `padding` says so.
   * @throws {ConfigError} for options out of their range, or `truncation` without a length.
   * @throws {DataError} if `only_first` or `only_second` would have to remove the whole text.
   * @throws {DTypeError} for what is not a string.
   */
  encode(text: string, options?: EncodeTextOptions): Promise<Encoding>
  /**
   * Texts, or pairs, as ids.
   *
   * @returns one row a text, padded to the longest unless `padding` says otherwise.
   * @throws as above; {ShapeError} without padding, if the lengths differ.
   */
  encode(texts: readonly TextInput[], options?: EncodeBatchOptions): Promise<BatchEncoding>
  async encode(
    input: string | readonly TextInput[],
    options: EncodeTextOptions | EncodeBatchOptions = {},
  ): Promise<Encoding | BatchEncoding> {
    const samples = samplesOf(input, options.textPair)
    const plan = this.#truncationPlan(options)
    const texts = samples.flat()
    const encoded = await this.#library.encodeBatch(texts, { addSpecialTokens: false })
    const tokenized = texts.map((text, i) => new TokenizedText(text, encoded[i] as (typeof encoded)[number]))
    const encodings = samples.map((sample) =>
      this.#assemble(tokenized.splice(0, sample.length), plan, options.addSpecialTokens ?? true),
    )
    if (typeof input === 'string') return this.#padded(encodings, options)[0] as Encoding
    const rows = options.returnOverflowingTokens
      ? encodings.map((first) => [first, ...first.overflowing])
      : encodings.map((row) => [row])
    const mapping = rows.flatMap((group, sample) => group.map(() => sample))
    return this.#batch(rows.flat(), Int32Array.from(mapping), { padding: 'longest', ...options })
  }

  /**
   * Brings sequences to one length.
   *
   * @param options.padding @default 'longest'
   * @throws {ConfigError} where the tokenizer has no padding token, or `max_length` has no length.
   * @throws {ShapeError} if the lengths still differ.
   */
  pad(encodings: readonly Encoding[], options: PadOptions = {}): BatchEncoding {
    return this.#batch(encodings, Int32Array.from(encodings.keys()), { padding: 'longest', ...options })
  }

  /**
   * @param ids of one sequence.
   * @throws {IndexError} for an id that is not in the vocabulary.
   */
  async decode(ids: ArrayLike<number>, options: DecodeOptions = {}): Promise<string> {
    const [text] = await this.batchDecode([ids], options)
    return text as string
  }

  /**
   * @param sequences ids of each.
   * @throws {IndexError} for an id that is not in the vocabulary.
   */
  async batchDecode(sequences: readonly ArrayLike<number>[], options: DecodeOptions = {}): Promise<string[]> {
    const { skipSpecialTokens = false, cleanUpTokenizationSpaces = this.#config.cleanUpTokenizationSpaces } = options
    const texts = await this.#library.decodeBatch(
      sequences.map((ids) => Array.from(ids, (id) => this.#knownId(id))),
      skipSpecialTokens,
    )
    return cleanUpTokenizationSpaces ? texts.map(cleanUp) : texts
  }

  /**
   * Writes the tokenizer's files, as they were read or made, to a folder: all of them, or none.
   *
   * @throws {CheckpointError} if they cannot be written.
   */
  async savePretrained(folder: string): Promise<void> {
    await writeFiles(folder, this.#files)
  }

  #tokenOf(role: Role): string | null {
    return this.#config.roles[role] ?? null
  }

  #idOf(role: Role): number | null {
    const token = this.#tokenOf(role)
    return token === null ? null : this.tokenToId(token)
  }

  #knownId(id: number): number {
    if (this.#vocabulary.tokens[id] !== undefined) return id
    throw new IndexError(`decode: expected ids of the ${this.length} tokens, got ${describe(id)}`)
  }

  #truncationPlan(options: EncodeOptions): TruncationPlan | null {
    const { truncation, stride = 0, maxLength, truncationSide = this.truncationSide, padding } = options
    const strategy = truncationStrategyOf(truncation)
    integerOf(stride, 0, 'encode: expected stride')
    if (strategy === null) {
      if (stride > 0) throw new ConfigError(`encode: expected truncation with stride ${stride}, got none`)
      if (maxLength !== undefined && paddingStrategyOf(padding) !== 'max_length') {
        const uses = 'truncation, or padding max_length'
        throw new ConfigError(`encode: expected ${uses}, with maxLength ${maxLength}, got neither`)
      }
      return null
    }
    return {
      strategy,
      maxLength: this.#maxLength(maxLength, 'encode', 'truncation'),
      stride,
      side: sideOf(truncationSide, 'encode: expected truncationSide'),
      readsAll: options.returnOverflowingTokens ?? false,
    }
  }

  #maxLength(value: number | undefined, op: string, use: string): number {
    if (value !== undefined) return integerOf(value, 0, `${op}: expected maxLength`)
    if (this.modelMaxLength !== Infinity) return this.modelMaxLength
    throw new ConfigError(`${op}: expected maxLength for ${use}, as the tokenizer has no modelMaxLength, got none`)
  }

  #assemble(texts: readonly TokenizedText[], plan: TruncationPlan | null, addSpecialTokens: boolean): Encoding {
    const pieces = this.#template[texts.length === 2 ? 'pair' : 'single']
    const template = addSpecialTokens ? pieces : pieces.filter((piece) => piece.kind === 'text')
    const windows = plan
      ? truncated(texts, plan, template.length - texts.length)
      : texts.map((text) => [wholeSpan(text)])
    const kept = windows.map(([first]) => first as Span)
    const overflowing = (): Part[][] => otherWindows(windows).map((spans) => partsOf(template, texts, spans))
    return new Encoding(partsOf(template, texts, kept), overflowing)
  }

  #padded(encodings: readonly Encoding[], options: PadOptions): readonly Encoding[] {
    const strategy = paddingStrategyOf(options.padding)
    if (strategy === null) {
      if (options.padToMultipleOf === undefined) return encodings
      throw new ConfigError(`pad: expected padding with padToMultipleOf ${options.padToMultipleOf}, got none`)
    }
    const { padToken, padTokenId } = this
    if (padToken === null || padTokenId === null) throw new ConfigError('pad: expected a padding token, got none')
    const side = sideOf(options.paddingSide ?? this.paddingSide, 'pad: expected paddingSide')
    const multiple = integerOf(options.padToMultipleOf ?? 1, 1, 'pad: expected padToMultipleOf')
    const longest = encodings.reduce((longer, { unpaddedLength }) => Math.max(longer, unpaddedLength), 0)
    const wanted = strategy === 'longest' ? longest : this.#maxLength(options.maxLength, 'pad', 'padding max_length')
    const length = Math.ceil(wanted / multiple) * multiple
    return encodings.map((encoding) => {
      const missing = Math.max(0, length - encoding.unpaddedLength)
      const [left, right] = side === 'left' ? [missing, 0] : [0, missing]
      return encoding.padded({ left, right, id: padTokenId, token: padToken })
    })
  }

  #batch(encodings: readonly Encoding[], mapping: Int32Array, options: PadOptions): BatchEncoding {
    const rows = this.#padded(encodings, options)
    const lengths = [...new Set(rows.map((row) => row.length))]
    if (lengths.length > 1) {
      throw new ShapeError(`pad: expected sequences of one length, or padding to the longest, got lengths ${lengths}`)
    }
    return new BatchEncoding(rows, mapping)
  }
}

function truncated(texts: readonly TokenizedText[], plan: TruncationPlan, specials: number): Span[][] {
  const { maxLength, side, readsAll } = plan
  if (maxLength < specials) {
    throw new ConfigError(`encode: expected maxLength >= ${specials}, the special tokens alone, got ${maxLength}`)
  }
  const spans = texts.map((text) => (readsAll ? wholeSpan(text) : readSpan(text, maxLength, side)))
  return windowsOf(spans, { ...plan, room: maxLength - specials })
}

/** All choices of windows but the kept ones, in Hugging Face's order: by the first text's, its kept window last. */
function otherWindows(windows: readonly (readonly Span[])[]): Span[][] {
  const [[kept, ...others], second] = windows as [[Span, ...Span[]], Span[] | undefined]
  if (!second) return others.map((span) => [span])
  return [
    ...others.flatMap((first) => second.map((other) => [first, other])),
    ...second.slice(1).map((other) => [kept, other]),
  ]
}

/** What tokenizers of Hugging Face do with `clean_up_tokenization_spaces`. */
function cleanUp(text: string): string {
  return text
    .replaceAll(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replaceAll(/ (n't|'m|'s|'ve|'re)/g, '$1')
}

function textOf(files: TokenizerFiles, name: string): string {
  return String(files.get(name))
}
