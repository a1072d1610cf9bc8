import { DataError, DTypeError, describe } from '../../errors.ts'
import { loadLibrary } from '../library.ts'
import type { Slices } from './slices.ts'

/** What trainers read: any number of texts, of any length. */
export type Texts = Iterable<string> | AsyncIterable<string>

// Between the characters that both layouts' normalizers and pre-tokenizers take for spaces, chunks are independent, so
// that each different one needs to be normalized only once. Longer ones, which hardly repeat, are cut.
const chunkPattern = /[^\t\n\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]{1,4096}/gu

/** What a Map can hold. */
const maxChunks = 2 ** 24 - 1

const checkEvery = 1024

/**
 * @internal Counts the words of texts, as the normalizer and pre-tokenizer of a tokenizer.json make them.
 *
 * @throws {DataError} if there is none.
 */
export async function countWords(
  op: string,
  texts: Texts,
  tokenizerJson: string,
  slices: Slices,
): Promise<Map<string, number>> {
  const chunks = await countChunks(op, texts, slices)
  const library = (await loadLibrary()).Tokenizer.fromString(tokenizerJson)
  const [normalizer, preTokenizer] = [library.getNormalizer(), library.getPreTokenizer()]
  const counts = new Map<string, number>()
  for (const [chunk, count] of chunks) {
    const normalized = normalizer?.normalizeString(chunk) ?? chunk
    for (const [word] of preTokenizer?.preTokenizeString(normalized) ?? []) {
      counts.set(word, (counts.get(word) ?? 0) + count)
    }
    if (slices.due) await slices.rest()
  }
  if (counts.size === 0) throw new DataError(`${op}: expected texts with words, got none`)
  return counts
}

async function countChunks(op: string, texts: Texts, slices: Slices): Promise<Map<string, number>> {
  if (typeof texts === 'string' || !isIterable(texts)) {
    throw new DTypeError(`${op}: expected an iterable of texts, got ${describe(texts)}`)
  }
  const counts = new Map<string, number>()
  let seen = 0
  for await (const text of texts) {
    if (typeof text !== 'string') throw new DTypeError(`${op}: expected texts, got ${describe(text)}`)
    for (const [chunk] of text.matchAll(chunkPattern)) {
      const count = counts.get(chunk)
      // A slice of a text would keep all of the text in memory; what is cut from a concatenation does not.
      counts.set(count === undefined ? ` ${chunk}`.slice(1) : chunk, (count ?? 0) + 1)
      if (++seen % checkEvery === 0 && slices.due) await slices.rest()
    }
    if (counts.size > maxChunks - 4096) throw new DataError(`${op}: expected fewer than 2^24 different words, got more`)
  }
  return counts
}

function isIterable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Symbol.iterator in value || Symbol.asyncIterator in value
}
