import { DataError, describe } from '../errors.ts'
import type { Tokenizer } from '../tokenizers/tokenizer.ts'
import type { Row } from './sources/formats.ts'
import type { Stage } from './stream.ts'
import { encodeInWorker } from './token-worker.ts'

/** Texts that are encoded at once: enough to share the cost of a call, few enough to begin soon. */
const textsPerCall = 64

/**
 * Texts as ids, without special tokens, found off the main thread.
 *
 * @throws {DataError} when reading, for what is not a string.
 */
export function tokenize(tokenizer: Tokenizer): Stage<string, Int32Array> {
  return {
    size: textsPerCall,
    async give(group) {
      const texts = group.map(({ value }) => textOf(value))
      const ids = await encodeInWorker(tokenizer, texts)
      return group.map(({ random }, i) => ({ value: ids[i] as Int32Array, random }))
    },
  }
}

/**
 * The documents of a stream of texts as lines of ids, which `electraSegments` takes.
 *
 * @throws as `tokenize`.
 */
export function tokenizeLines(tokenizer: Tokenizer): Stage<string, Int32Array[]> {
  return {
    size: textsPerCall,
    async give(group) {
      const lines = group.map(({ value }) => textOf(value).split('\n'))
      const ids = await encodeInWorker(tokenizer, lines.flat())
      return group.map(({ random }, i) => ({ value: ids.splice(0, (lines[i] as string[]).length), random }))
    },
  }
}

/**
 * One column of rows.
 *
 * @param name @default 'text'
 * @throws {DataError} when reading, for rows in which it is not a string.
 */
export function column(name = 'text'): Stage<Row, string> {
  return {
    give: (group) =>
      group.map(({ value: row, random }) => {
        const value = row[name]
        if (typeof value === 'string') return { value, random }
        throw new DataError(`data: expected a string in column ${JSON.stringify(name)}, got ${describe(value)}`)
      }),
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new DataError(`tokenize: expected texts, got ${describe(value)}`)
}
