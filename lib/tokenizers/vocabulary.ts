import { idOf, type Json, listOf, malformed, objectOf, stringOf } from './json.ts'

/** @internal Tokens and their ids, as a tokenizer.json has them. */
export interface Vocabulary {
  readonly ids: ReadonlyMap<string, number>
  /** By id; undefined where no token has it. */
  readonly tokens: readonly (string | undefined)[]
  /** Tokens of the model, without those that were added to it. */
  readonly modelSize: number
  /** The added tokens that decoding can leave out. */
  readonly special: ReadonlySet<string>
  /** What tokens begin with that go on with a word (`##`); null where the model has no such mark. */
  readonly continuingPrefix: string | null
}

type Entry = readonly [token: string, id: number]

/** @internal */
export function vocabularyOf(json: Json, file: string): Vocabulary {
  const modelJson = objectOf(json.model, file, 'an object as model')
  const model = modelEntries(modelJson, file)
  const ids = new Map(model)
  const special = new Set<string>()
  const added = listOf(json.added_tokens ?? [], file, 'a list as added_tokens').map((value): Entry => {
    const token = objectOf(value, file, 'an object in added_tokens')
    const content = stringOf(token.content, file, 'the content of an added token')
    const id = idOf(token.id, file, `an id of added token ${JSON.stringify(content)}`)
    if (id !== (ids.get(content) ?? id)) {
      throw malformed(file, `the vocabulary's id ${ids.get(content)} of added token ${JSON.stringify(content)}`, id)
    }
    ids.set(content, id)
    if (token.special === true) special.add(content)
    return [content, id]
  })
  const continuingPrefix = continuingPrefixOf(modelJson, file)
  return { ids, tokens: tokensOf([...model, ...added], file), modelSize: model.length, special, continuingPrefix }
}

function continuingPrefixOf({ type, continuing_subword_prefix: prefix }: Json, file: string): string | null {
  if (prefix === undefined || prefix === null) return type === 'WordPiece' ? '##' : null
  return stringOf(prefix, file, 'a text as continuing_subword_prefix') || null
}

function modelEntries(model: Json, file: string): Entry[] {
  if (Array.isArray(model.vocab)) {
    return model.vocab.map((entry, id) => {
      const [piece] = listOf(entry, file, '[piece, score] in the vocabulary')
      return [stringOf(piece, file, 'a piece in the vocabulary'), id]
    })
  }
  const vocab = Object.entries(objectOf(model.vocab, file, 'a vocabulary of the model'))
  return vocab.map(([token, id]) => [token, idOf(id, file, `an id of ${JSON.stringify(token)}`)])
}

function tokensOf(entries: readonly Entry[], file: string): (string | undefined)[] {
  const tokens: (string | undefined)[] = []
  for (const [token, id] of entries) {
    // A few holes are fine; an id out of all proportion would make an array of that length.
    if (id > 2 * entries.length + 1024) throw malformed(file, `ids near the number of tokens, ${entries.length}`, id)
    if (tokens[id] !== undefined && tokens[id] !== token) throw malformed(file, `one token of id ${id}`, token)
    tokens[id] = token
  }
  return tokens
}
