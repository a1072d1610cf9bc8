import type { Encoding as LibraryEncoding } from '@anush008/tokenizers'
import type { Side } from './truncation.ts'

/** @internal The tokens of a text, without special tokens. What few callers read is fetched when it is first asked for. */
export class TokenizedText {
  readonly ids: Int32Array
  #tokens: readonly string[] | null = null
  #offsets: Int32Array | null = null
  #wordIds: Int32Array | null = null

  constructor(
    private readonly text: string,
    private readonly encoding: LibraryEncoding,
  ) {
    this.ids = Int32Array.from(encoding.getIds())
  }

  get tokens(): readonly string[] {
    this.#tokens ??= this.encoding.getTokens()
    return this.#tokens
  }

  /** (2N) start and end of each token, in UTF-16 units of the text. */
  get offsets(): Int32Array {
    this.#offsets ??= utf16Offsets(this.text, this.encoding.getOffsets())
    return this.#offsets
  }

  get wordIds(): Int32Array {
    this.#wordIds ??= Int32Array.from(this.encoding.getWordIds(), (id) => id ?? -1)
    return this.#wordIds
  }
}

/** @internal Tokens [start, end) of a text. */
export interface Span {
  readonly start: number
  readonly end: number
  /** Number of the word that counts as the first. */
  readonly firstWord: number
}

/** @internal */
export function wholeSpan({ ids }: TokenizedText): Span {
  return { start: 0, end: ids.length, firstWord: 0 }
}

/**
 * @internal The whole words from one side of a text that together have `limit` tokens or more, as far as Hugging Face's
 * tokenizers reads a text that is truncated, since version 0.23.
 */
export function readSpan(text: TokenizedText, limit: number, side: Side): Span {
  const { length } = text.ids
  if (length < limit) return wholeSpan(text)
  const { wordIds } = text
  const splitsWord = (at: number) => at > 0 && at < length && wordIds[at] === wordIds[at - 1]
  // It reads one word even where there is room for none.
  let at = Math.min(Math.max(limit, 1), length)
  if (side === 'right') {
    while (splitsWord(at)) at++
    return { start: 0, end: at, firstWord: 0 }
  }
  at = length - at
  while (splitsWord(at)) at--
  return { start: at, end: length, firstWord: wordIds[at] ?? 0 }
}

/** The library counts code points; those beyond U+FFFF are two units of a JavaScript string. */
function utf16Offsets(text: string, offsets: readonly (readonly number[])[]): Int32Array {
  const flat = new Int32Array(2 * offsets.length)
  offsets.forEach((offset, i) => {
    flat.set(offset, 2 * i)
  })
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return flat
  const unitOf: number[] = []
  let unit = 0
  for (const char of text) {
    unitOf.push(unit)
    unit += char.length
  }
  unitOf.push(unit)
  return flat.map((codePoint) => unitOf[codePoint] as number)
}
