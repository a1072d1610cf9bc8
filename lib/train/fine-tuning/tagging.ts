import { DataError } from '../../errors.ts'
import { accuracy, entityScores } from '../../metrics/index.ts'
import type { ElectraForTokenClassification, T5ForTokenClassification } from '../../models/index.ts'
import type { Encoding } from '../../tokenizers/encoding.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { argmaxAt, encoded, type Head, parts, valuesOf } from './head.ts'
import { Labels } from './labels.ts'
import { type PlacedRow, textsIn } from './rows.ts'

/** A sentence of words, each with a tag. */
export interface TaggedSentence {
  readonly encoding: Encoding
  /** Token that begins each word; −1 for a word that was cut off or has no token. */
  readonly firstTokens: Int32Array
  readonly tags: readonly string[]
}

/** The tags that occur in rows with `tags`. */
export function tagsIn(rows: readonly PlacedRow[]): Labels {
  return Labels.of(rows.flatMap((row) => textsIn(row, 'tags')))
}

/** @throws {DataError} for rows without `tokens` and as many `tags`, and tags that training did not have. */
export async function taggedSentences(
  rows: readonly PlacedRow[],
  tokenizer: Tokenizer,
  labels: Labels,
  maxLength: number,
): Promise<TaggedSentence[]> {
  const sentences = rows.map((row) => {
    const [words, tags] = [textsIn(row, 'tokens'), textsIn(row, 'tags')]
    for (const tag of tags) labels.number(tag, row.place)
    if (words.length === tags.length) return { words, tags }
    throw new DataError(`data: expected as many tags as tokens in ${row.place}, got ${tags.length} for ${words.length}`)
  })
  const encodings = await encoded(
    tokenizer,
    sentences.map(({ words }) => words.join(' ')),
    maxLength,
  )
  return sentences.map(({ words, tags }, i) => {
    const encoding = encodings[i] as Encoding
    return { encoding, tags, firstTokens: firstTokensOf(words, encoding) }
  })
}

/** Finds the words, which were joined by single spaces, in the offsets of the tokens. */
function firstTokensOf(words: readonly string[], { offsets, sequenceIds }: Encoding): Int32Array {
  const first = new Int32Array(words.length).fill(-1)
  let token = 0
  let start = 0
  for (const [i, word] of words.entries()) {
    const end = start + word.length
    while (token < sequenceIds.length && (sequenceIds[token] !== 0 || (offsets[2 * token + 1] as number) <= start))
      token++
    if (token < sequenceIds.length && (offsets[2 * token] as number) < end) first[i] = token
    start = end + 1
  }
  return first
}

const ignored = -100

/** Fine-tunes a head that tags words, at the first token of each. */
export class TaggingHead implements Head<TaggedSentence, object> {
  readonly metric: string

  constructor(
    private readonly model: ElectraForTokenClassification | T5ForTokenClassification,
    private readonly tokenizer: Tokenizer,
    private readonly labels: Labels,
  ) {
    this.metric = this.#hasEntities ? 'f1' : 'accuracy'
  }

  get #hasEntities(): boolean {
    return this.labels.names.every((name) => /^(O|[BIES]-.+)$/.test(name))
  }

  collate(sentences: readonly TaggedSentence[]) {
    const batch = this.tokenizer.pad(
      sentences.map(({ encoding }) => encoding),
      { paddingSide: 'right' },
    )
    const { shape, inputIds, attentionMask, tokenTypeIds } = batch
    const data = new Int32Array(inputIds.length).fill(ignored)
    for (const [b, { firstTokens, tags }] of sentences.entries()) {
      for (const [word, token] of firstTokens.entries()) {
        if (token >= 0) data[b * shape[1] + token] = this.labels.number(tags[word] as string, 'training')
      }
    }
    return { shape, inputIds, attentionMask, tokenTypeIds, labels: { data, shape } }
  }

  /** A word without a token counts as tagged `O`, or as the first label. */
  async evaluate(sentences: readonly TaggedSentence[], batchSize: number): Promise<Record<string, number>> {
    const { names } = this.labels
    const fallback = names.includes('O') ? 'O' : (names[0] as string)
    const predictions: string[][] = []
    for (const part of parts(sentences, batchSize)) {
      const { labels: _, ...inputs } = this.collate(part)
      const logits = await valuesOf(() => this.model.forward(inputs).logits)
      const at = (b: number, token: number) => (b * inputs.shape[1] + token) * names.length
      for (const [b, { firstTokens }] of part.entries()) {
        predictions.push(
          Array.from(firstTokens, (token) =>
            token < 0 ? fallback : (names[argmaxAt(logits, at(b, token), names.length)] as string),
          ),
        )
      }
    }
    const references = sentences.map(({ tags }) => tags)
    const perWord = { accuracy: accuracy(predictions.flat(), references.flat()) }
    return this.#hasEntities ? { ...entityScores(predictions, references), ...perWord } : perWord
  }
}
