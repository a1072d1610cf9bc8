import { DataError } from '../errors.ts'
import { countsOf, f1Of, overlap, zip } from './pairs.ts'

/** A named piece of a text: tokens from `start` up to, not with, `end`. */
export interface Entity {
  readonly type: string
  readonly start: number
  readonly end: number
}

/**
 * Reads entities off tags in the BIO or BIOES scheme, as forgivingly as the CoNLL script: an `I` or `E` that continues
 * nothing begins an entity.
 *
 * @param tags `O`, or `B-`, `I-`, `E-`, `S-` with a type.
 */
export function entitiesOf(tags: readonly string[]): Entity[] {
  const entities: Entity[] = []
  let open: { type: string; start: number } | null = null
  const close = (end: number) => {
    if (open) entities.push({ ...open, end })
    open = null
  }
  for (const [i, tag] of tags.entries()) {
    const [, prefix, type = ''] = /^([BIES])-(.+)$|^O$/.exec(tag) ?? [undefined, undefined, undefined]
    if (prefix === undefined) {
      if (tag !== 'O')
        throw new DataError(`entitiesOf: expected O or B-, I-, E-, S- with a type, got ${JSON.stringify(tag)}`)
      close(i)
      continue
    }
    const continues: boolean = (prefix === 'I' || prefix === 'E') && (open as Entity | null)?.type === type
    if (!continues) {
      close(i)
      open = { type, start: i }
    }
    if (prefix === 'E' || prefix === 'S') close(i + 1)
  }
  close(tags.length)
  return entities
}

export interface EntityScores {
  readonly precision: number
  readonly recall: number
  readonly f1: number
}

/** Entities of all texts together: one is right if type, beginning and end are. Shares; 0 where there is nothing. */
export function entityScores(
  predictions: readonly (readonly string[])[],
  references: readonly (readonly string[])[],
): EntityScores {
  let [hits, predicted, expected] = [0, 0, 0]
  for (const [tags, reference] of zip('entityScores', predictions, references)) {
    if (tags.length !== reference.length) {
      throw new DataError(`entityScores: expected a tag for each of ${reference.length} tokens, got ${tags.length}`)
    }
    const keys = (of: readonly string[]) => entitiesOf(of).map(({ type, start, end }) => `${start} ${end} ${type}`)
    const [a, b] = [keys(tags), keys(reference)]
    hits += overlap(countsOf(a), countsOf(b))
    predicted += a.length
    expected += b.length
  }
  const share = (of: number) => (of === 0 ? 0 : hits / of)
  return { precision: share(predicted), recall: share(expected), f1: f1Of(hits, predicted, expected) }
}
