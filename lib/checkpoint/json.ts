// JSON documents that keep their numbers' spelling through a load and a save: 1e-06, 1.0, integers beyond 2^53.
import { CheckpointError, describe } from '../errors.ts'

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined
}

/** A JSON file: its top object, and its text, from which `formatJson` takes the spelling of numbers. */
export interface JsonFile {
  readonly value: JsonObject
  readonly text: string
}

// Deeper than any document of a model folder; keeps recursion over a stranger's file bounded.
const maxDepth = 200

/** @throws {CheckpointError} for a text that is not JSON, or not an object. */
export function parseJson(text: string, path: string): JsonFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new CheckpointError(`${path}: expected JSON, got ${(cause as Error).message}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CheckpointError(`${path}: expected a JSON object, got ${describe(value)}`)
  }
  if (depthOf(text) > maxDepth) throw new CheckpointError(`${path}: expected at most ${maxDepth} levels, got more`)
  return { value: value as JsonObject, text }
}

/**
 * @param like text of an earlier version: a number that stands at the same place with the same value keeps its spelling.
 * @returns the value as JSON, indented by two, with a line break at the end; undefined members are left out.
 * @throws {CheckpointError} for a number that JSON cannot hold.
 */
export function formatJson(value: JsonObject, like?: string): string {
  return `${format(value, like === undefined ? null : new SpellingReader(like).read(), '\n')}\n`
}

/** Numbers of a document, each as it is spelled, at their places; null where there is none. */
type Spelling = string | Map<string, Spelling> | Spelling[] | null

function format(value: JsonValue, like: Spelling, lineBreak: string): string {
  if (typeof value === 'number') return formatNumber(value, like)
  if (typeof value !== 'object' || value === null) return formatScalar(value)
  const inner = `${lineBreak}  `
  if (Array.isArray(value)) {
    const old = Array.isArray(like) ? like : []
    const items = value.map((item: JsonValue, i) => format(item, old[i] ?? null, inner))
    return items.length === 0 ? '[]' : `[${inner}${items.join(`,${inner}`)}${lineBreak}]`
  }
  const old = like instanceof Map ? like : null
  const members = Object.entries(value as JsonObject).flatMap(([key, member]) =>
    member === undefined ? [] : [`${JSON.stringify(key)}: ${format(member, old?.get(key) ?? null, inner)}`],
  )
  return members.length === 0 ? '{}' : `{${inner}${members.join(`,${inner}`)}${lineBreak}}`
}

function formatScalar(value: string | boolean | null): string {
  const text: string | undefined = JSON.stringify(value)
  if (text !== undefined) return text
  throw new CheckpointError(`formatJson: expected what JSON can hold, got ${describe(value)}`)
}

function formatNumber(value: number, like: Spelling): string {
  if (typeof like === 'string' && Object.is(Number(like), value)) return like
  if (!Number.isFinite(value)) throw new CheckpointError(`formatJson: expected finite numbers, got ${value}`)
  return Object.is(value, -0) ? '-0.0' : String(value)
}

/** Nesting of a text that is valid JSON. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth)
    else if (token === ']' || token === '}') depth--
  }
  return deepest
}

/** Walks a text that is known to be valid JSON. */
class SpellingReader {
  readonly #tokens: IterableIterator<RegExpMatchArray>
  #token = ''

  constructor(text: string) {
    this.#tokens = text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]|[^\s,:[\]{}"]+/gs)
    this.#advance()
  }

  read(): Spelling {
    const token = this.#token
    this.#advance()
    if (token === '{') return this.#members()
    if (token === '[') return this.#items()
    return /^[-\d]/.test(token) ? token : null
  }

  #members(): Spelling {
    const members = new Map<string, Spelling>()
    while (this.#token !== '}') {
      const key = JSON.parse(this.#token) as string
      this.#advance()
      members.set(key, this.read())
    }
    this.#advance()
    return members
  }

  #items(): Spelling {
    const items: Spelling[] = []
    while (this.#token !== ']') items.push(this.read())
    this.#advance()
    return items
  }

  #advance(): void {
    this.#token = (this.#tokens.next().value as RegExpMatchArray | undefined)?.[0] ?? ''
  }
}
