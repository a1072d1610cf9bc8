import { idOf, type Json, listOf, malformed, objectOf, stringOf } from './json.ts'

/** A special token that surrounds the texts. */
export interface SpecialPiece {
  readonly kind: 'special'
  readonly id: number
  readonly token: string
  readonly typeId: number
}

/** Where the tokens of the first (0) or second (1) text go. */
export interface TextPiece {
  readonly kind: 'text'
  readonly sequence: 0 | 1
  readonly typeId: number
}

export type Piece = SpecialPiece | TextPiece

/** How texts and special tokens make one sequence: `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`. */
export interface Template {
  readonly single: readonly Piece[]
  readonly pair: readonly Piece[]
}

const text = (sequence: 0 | 1, typeId: number): TextPiece => ({ kind: 'text', sequence, typeId })

const bare: Template = { single: [text(0, 0)], pair: [text(0, 0), text(1, 1)] }

/** @internal The template of a tokenizer.json's `post_processor`. */
export function templateOf(processor: unknown, file: string): Template {
  if (processor === null || processor === undefined) return bare
  const json = objectOf(processor, file, 'an object as post_processor')
  switch (json.type) {
    case 'TemplateProcessing':
      return templateProcessing(json, file)
    case 'BertProcessing':
      return bertProcessing(json, file)
    case 'RobertaProcessing':
      return robertaProcessing(json, file)
    case 'ByteLevel':
      return bare
    case 'Sequence':
      return sequence(json, file)
    default:
      throw malformed(file, 'a known type of post_processor', json.type)
  }
}

function templateProcessing(json: Json, file: string): Template {
  const specials = objectOf(json.special_tokens, file, 'special_tokens in post_processor')
  const pieces = (value: unknown) =>
    listOf(value, file, 'a list of pieces in post_processor').flatMap((piece) => pieceOf(piece, specials, file))
  const template = { single: pieces(json.single), pair: pieces(json.pair) }
  expectTexts(template.single, [0], file)
  expectTexts(template.pair, [0, 1], file)
  return template
}

function pieceOf(value: unknown, specials: Json, file: string): Piece[] {
  const piece = objectOf(value, file, 'a piece of post_processor')
  if (piece.Sequence !== undefined) {
    const { id, type_id } = objectOf(piece.Sequence, file, 'a sequence of post_processor')
    if (id !== 'A' && id !== 'B') throw malformed(file, 'sequence A or B in post_processor', id)
    return [text(id === 'A' ? 0 : 1, idOf(type_id, file, 'a type_id in post_processor'))]
  }
  const { id, type_id } = objectOf(piece.SpecialToken, file, 'a Sequence or SpecialToken in post_processor')
  const name = stringOf(id, file, 'the id of a special token in post_processor')
  const typeId = idOf(type_id, file, 'a type_id in post_processor')
  const listed = Object.hasOwn(specials, name) ? specials[name] : undefined
  const special = objectOf(listed, file, `special token ${JSON.stringify(name)} in post_processor`)
  const tokens = listOf(special.tokens, file, 'tokens of a special token')
  const ids = listOf(special.ids, file, 'ids of a special token')
  if (ids.length !== tokens.length) throw malformed(file, `${tokens.length} ids of ${JSON.stringify(name)}`, ids)
  return ids.map((each, i) => ({
    kind: 'special',
    id: idOf(each, file, 'the id of a special token'),
    token: stringOf(tokens[i], file, 'a special token'),
    typeId,
  }))
}

function expectTexts(pieces: readonly Piece[], sequences: readonly number[], file: string): void {
  const found = pieces.flatMap((piece) => (piece.kind === 'text' ? [piece.sequence] : []))
  if (found.join() === sequences.join()) return
  const names = (list: readonly number[]) => list.map((index) => 'AB'[index]).join(', ')
  throw malformed(file, `a template of ${names(sequences)} in post_processor`, names(found))
}

/** A pair `["[SEP]", 102]`. */
function specialOf(value: unknown, file: string, what: string): (typeId: number) => SpecialPiece {
  const [name, number] = listOf(value, file, `[token, id] as ${what} of post_processor`)
  const token = stringOf(name, file, `a token as ${what} of post_processor`)
  const id = idOf(number, file, `an id as ${what} of post_processor`)
  return (typeId) => ({ kind: 'special', id, token, typeId })
}

function bertProcessing(json: Json, file: string): Template {
  const cls = specialOf(json.cls, file, 'cls')
  const sep = specialOf(json.sep, file, 'sep')
  const single = [cls(0), text(0, 0), sep(0)]
  return { single, pair: [...single, text(1, 1), sep(1)] }
}

function robertaProcessing(json: Json, file: string): Template {
  const cls = specialOf(json.cls, file, 'cls')
  const sep = specialOf(json.sep, file, 'sep')
  const single = [cls(0), text(0, 0), sep(0)]
  return { single, pair: [...single, sep(0), text(1, 0), sep(0)] }
}

/** Of several processors, at most one adds tokens. */
function sequence(json: Json, file: string): Template {
  const templates = listOf(json.processors, file, 'processors in post_processor')
    .map((processor) => templateOf(processor, file))
    .filter((template) => template !== bare)
  if (templates.length > 1) throw malformed(file, 'one processor that adds tokens', templates)
  return templates[0] ?? bare
}
