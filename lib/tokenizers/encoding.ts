import type { Piece, SpecialPiece } from './template.ts'
import type { Span, TokenizedText } from './tokenized-text.ts'

/**
 * What models take: ids and masks of B sequences of T tokens, row-major. One text is a batch of one.
 */
export interface ModelInputs {
  readonly shape: readonly [B: number, T: number]
  readonly inputIds: Int32Array
  /** 1 where there is a token, 0 where there is padding. */
  readonly attentionMask: Int32Array
  /** 0 for tokens of the first text, 1 for those of the second, where the model tells them apart. */
  readonly tokenTypeIds: Int32Array
  /** 1 for special tokens and padding. */
  readonly specialTokensMask: Int32Array
}

/** Padding around a sequence. */
export interface Padding {
  readonly left: number
  readonly right: number
  readonly id: number
  readonly token: string
}

/** @internal Where a text's tokens go. */
export interface TextPart {
  readonly kind: 'text'
  readonly sequence: 0 | 1
  readonly typeId: number
  readonly text: TokenizedText
  readonly span: Span
}

/** @internal A part of an encoding. */
export type Part = SpecialPiece | TextPart

/** @internal Puts spans of the texts where the template has them. */
export function partsOf(template: readonly Piece[], texts: readonly TokenizedText[], spans: readonly Span[]): Part[] {
  return template.map((piece) => {
    if (piece.kind === 'special') return piece
    return { ...piece, text: texts[piece.sequence] as TokenizedText, span: spans[piece.sequence] as Span }
  })
}

const noPadding: Padding = { left: 0, right: 0, id: 0, token: '' }

/** One sequence of tokens: a text or a pair of texts, with special tokens and padding. */
export class Encoding implements ModelInputs {
  /** (1, T). */
  readonly shape: readonly [1, number]
  readonly inputIds: Int32Array
  readonly attentionMask: Int32Array
  readonly tokenTypeIds: Int32Array
  readonly specialTokensMask: Int32Array

  /** @internal */
  constructor(
    private readonly parts: readonly Part[],
    private readonly overflowingParts: () => readonly (readonly Part[])[] = () => [],
    private readonly padding: Padding = noPadding,
  ) {
    const { left, right, id } = padding
    const length = left + right + parts.reduce((sum, part) => sum + lengthOf(part), 0)
    this.shape = [1, length]
    this.inputIds = new Int32Array(length).fill(id)
    this.attentionMask = new Int32Array(length).fill(1, left, length - right)
    this.tokenTypeIds = new Int32Array(length)
    this.specialTokensMask = new Int32Array(length).fill(1)
    this.#eachPart((part, start, end) => {
      this.tokenTypeIds.fill(part.typeId, start, end)
      if (part.kind === 'special') this.inputIds[start] = part.id
      else {
        this.inputIds.set(part.text.ids.subarray(part.span.start, part.span.end), start)
        this.specialTokensMask.fill(0, start, end)
      }
    })
  }

  /** Number of tokens, padding included. */
  get length(): number {
    return this.shape[1]
  }

  /** (T) the tokens as the vocabulary has them. */
  get tokens(): string[] {
    const tokens = new Array<string>(this.length).fill(this.padding.token)
    this.#eachPart((part, start, end) => {
      for (let i = start; i < end; i++) {
        tokens[i] = part.kind === 'special' ? part.token : (part.text.tokens[part.span.start + i - start] as string)
      }
    })
    return tokens
  }

  /**
   * (2·T) start and end of each token in its text, in UTF-16 units, so that `text.slice(start, end)` is what it stands
   * for; both 0 for special tokens and padding.
   */
  get offsets(): Int32Array {
    const offsets = new Int32Array(2 * this.length)
    this.#eachText(({ text, span }, start) =>
      offsets.set(text.offsets.subarray(2 * span.start, 2 * span.end), 2 * start),
    )
    return offsets
  }

  /** (T) number of the word in its text that each token is part of, as the pre-tokenizer sees words; −1 for none. */
  get wordIds(): Int32Array {
    const ids = new Int32Array(this.length).fill(-1)
    this.#eachText(({ text, span: { start: from, end, firstWord } }, start) => {
      const words = text.wordIds.subarray(from, end)
      ids.set(firstWord === 0 ? words : words.map((word) => word - firstWord), start)
    })
    return ids
  }

  /** (T) 0 for tokens of the first text, 1 for those of the second, −1 for special tokens and padding. */
  get sequenceIds(): Int32Array {
    const ids = new Int32Array(this.length).fill(-1)
    this.#eachText((part, start, end) => ids.fill(part.sequence, start, end))
    return ids
  }

  /**
   * What truncation cut off, in sequences of the same length and with the same special tokens, each sharing `stride`
   * tokens with the one before; of pairs, every combination of windows. Complete with `returnOverflowingTokens`; without
   * it, as in Hugging Face's tokenizers, a text was read only until its words had `maxLength` tokens.
   */
  get overflowing(): Encoding[] {
    return this.overflowingParts().map((parts) => new Encoding(parts))
  }

  /** @internal The same sequence with other padding. */
  padded(padding: Padding): Encoding {
    return new Encoding(this.parts, this.overflowingParts, padding)
  }

  /** @internal Number of tokens without padding. */
  get unpaddedLength(): number {
    return this.length - this.padding.left - this.padding.right
  }

  #eachPart(visit: (part: Part, start: number, end: number) => void): void {
    let start = this.padding.left
    for (const part of this.parts) {
      const end = start + lengthOf(part)
      visit(part, start, end)
      start = end
    }
  }

  #eachText(visit: (part: TextPart, start: number, end: number) => void): void {
    this.#eachPart((part, start, end) => {
      if (part.kind === 'text') visit(part, start, end)
    })
  }
}

/** Several sequences of one length: what a model takes as a batch. */
export class BatchEncoding implements ModelInputs {
  readonly shape: readonly [B: number, T: number]
  readonly inputIds: Int32Array
  readonly attentionMask: Int32Array
  readonly tokenTypeIds: Int32Array
  readonly specialTokensMask: Int32Array

  /** @internal The encodings must have one length. */
  constructor(
    /** The rows, each with its tokens and offsets. */ readonly encodings: readonly Encoding[],
    /** (B) which of the texts each row is of; 0, 1, 2, … unless overflowing tokens were asked for. */
    readonly overflowToSampleMapping: Int32Array,
  ) {
    const length = encodings[0]?.length ?? 0
    this.shape = [encodings.length, length]
    const joined = (rows: readonly Int32Array[]) => {
      const flat = new Int32Array(rows.length * length)
      rows.forEach((row, i) => {
        flat.set(row, i * length)
      })
      return flat
    }
    this.inputIds = joined(encodings.map((row) => row.inputIds))
    this.attentionMask = joined(encodings.map((row) => row.attentionMask))
    this.tokenTypeIds = joined(encodings.map((row) => row.tokenTypeIds))
    this.specialTokensMask = joined(encodings.map((row) => row.specialTokensMask))
  }
}

function lengthOf(part: Part): number {
  return part.kind === 'special' ? 1 : part.span.end - part.span.start
}
