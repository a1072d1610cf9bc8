import { DataError } from '../../errors.ts'
import { accuracy, macroF1, matthews, pearson, spearman } from '../../metrics/index.ts'
import type { ElectraForSequenceClassification, T5ForSequenceClassification } from '../../models/index.ts'
import type { Encoding } from '../../tokenizers/encoding.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { argmaxAt, encoded, type Head, parts, valuesOf } from './head.ts'
import { Labels } from './labels.ts'
import { numberIn, type PlacedRow, textIn } from './rows.ts'

/** A text with its class, its classes, or its number. */
export interface ClassifiedText {
  readonly encoding: Encoding
  /** One class number; of several labels at once 0 or 1 each; or the number to predict. */
  readonly label: number | readonly number[]
}

/** Columns of the rows. */
export interface ClassificationColumns {
  /** @default 'text', or where there is none the first one that is not the label */
  readonly text?: string | undefined
  /** Second text of a pair. @default none */
  readonly pair?: string | undefined
  /** @default 'label' */
  readonly label?: string | undefined
}

/** `single`: one class; `multi`: any number of classes, separated by commas or an array; `regression`: a number. */
export type ClassificationKind = 'single' | 'multi' | 'regression'

/** The classes that occur in rows; none for regression. */
export function labelsIn(rows: readonly PlacedRow[], kind: ClassificationKind, columns: ClassificationColumns): Labels {
  const { label = 'label' } = columns
  if (kind === 'regression') return new Labels([label])
  const labels = Labels.of(rows.flatMap((row) => (kind === 'multi' ? namesIn(row, label) : [nameIn(row, label)])))
  if (kind === 'multi' || labels.names.length > 1) return labels
  throw new DataError(
    `data: expected two labels or more in column ${JSON.stringify(label)}, got ${labels.names.join()}`,
  )
}

/** @throws {DataError} for rows without the columns, and labels that training did not have. */
export async function classifiedTexts(
  rows: readonly PlacedRow[],
  tokenizer: Tokenizer,
  options: {
    readonly kind: ClassificationKind
    readonly labels: Labels
    readonly columns: ClassificationColumns
    readonly maxLength: number
  },
): Promise<ClassifiedText[]> {
  const { kind, labels, columns, maxLength } = options
  const { label: labelColumn = 'label', pair } = columns
  const textColumn = columns.text ?? textColumnOf(rows[0] as PlacedRow, labelColumn)
  const texts = rows.map((row) =>
    pair === undefined ? textIn(row, textColumn) : ([textIn(row, textColumn), textIn(row, pair)] as const),
  )
  const own = rows.map((row) => labelIn(row, kind, labels, labelColumn))
  const encodings = await encoded(tokenizer, texts, maxLength)
  encodings.forEach((encoding, i) => {
    expectOwnEnds(encoding, tokenizer, rows[i] as PlacedRow)
  })
  return encodings.map((encoding, i) => ({ encoding, label: own[i] as (typeof own)[number] }))
}

/** T5 reads its prediction off the end of a text, and a text may spell another one. */
function expectOwnEnds(encoding: Encoding, { eosToken, eosTokenId }: Tokenizer, { place }: PlacedRow): void {
  const { inputIds, specialTokensMask } = encoding
  const isSpelt = inputIds.some((id, i) => id === eosTokenId && specialTokensMask[i] === 0)
  if (isSpelt) throw new DataError(`data: expected a text without ${eosToken} in ${place}, got one that has it`)
}

function textColumnOf({ row, place }: PlacedRow, label: string): string {
  const column = 'text' in row ? 'text' : Object.keys(row).find((name) => name !== label)
  if (column !== undefined) return column
  throw new DataError(`data: expected a column of texts beside ${JSON.stringify(label)} in ${place}, got none`)
}

function labelIn(row: PlacedRow, kind: ClassificationKind, labels: Labels, column: string): number | number[] {
  if (kind === 'regression') return numberIn(row, column)
  if (kind === 'single') return labels.number(nameIn(row, column), row.place)
  const own = new Set(namesIn(row, column).map((name) => labels.number(name, row.place)))
  return labels.names.map((_, number) => Number(own.has(number)))
}

function nameIn(row: PlacedRow, column: string): string {
  const value = row.row[column]
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : textIn(row, column)
}

function namesIn(row: PlacedRow, column: string): string[] {
  const value = row.row[column]
  if (Array.isArray(value)) return value.map(String)
  return nameIn(row, column)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** Fine-tunes a head that says one thing of a whole text. */
export class ClassificationHead implements Head<ClassifiedText, object> {
  readonly metric: string

  constructor(
    private readonly model: ElectraForSequenceClassification | T5ForSequenceClassification,
    private readonly tokenizer: Tokenizer,
    private readonly kind: ClassificationKind,
  ) {
    this.metric = { single: 'accuracy', multi: 'macroF1', regression: 'pearson' }[kind]
  }

  collate(texts: readonly ClassifiedText[]) {
    const { shape, inputIds, attentionMask, tokenTypeIds } = this.tokenizer.pad(texts.map(({ encoding }) => encoding))
    const labels = texts.map(({ label }) => label) as number[]
    return { shape, inputIds, attentionMask, tokenTypeIds, labels: this.kind === 'single' ? labels : asFloats(labels) }
  }

  async evaluate(texts: readonly ClassifiedText[], batchSize: number): Promise<Record<string, number>> {
    const width = this.model.config.numLabels
    const logits: number[] = []
    for (const part of parts(texts, batchSize)) {
      const { labels: _, ...inputs } = this.collate(part)
      logits.push(...(await valuesOf(() => this.model.forward(inputs).logits)))
    }
    const references = texts.map(({ label }) => label)
    if (this.kind === 'regression') {
      return { pearson: pearson(logits, references as number[]), spearman: spearman(logits, references as number[]) }
    }
    const values = Float32Array.from(logits)
    if (this.kind === 'multi') return multiScores(values, references as number[][], width)
    const predictions = texts.map((_, i) => argmaxAt(values, i * width, width))
    return {
      accuracy: accuracy(predictions, references as number[]),
      macroF1: macroF1(predictions, references as number[]),
      matthews: matthews(predictions, references as number[]),
    }
  }
}

function asFloats(labels: readonly (number | readonly number[])[]) {
  return labels.map((label) => (typeof label === 'number' ? [label] : [...label]))
}

/** A label is predicted from probability ½ on. */
function multiScores(logits: Float32Array, references: readonly (readonly number[])[], width: number) {
  const predicted = references.map((_, i) =>
    Array.from({ length: width }, (_, l) => Number((logits[i * width + l] as number) > 0)),
  )
  const ofLabel = (rows: readonly (readonly number[])[], label: number) => rows.map((row) => row[label] as number)
  const scores = Array.from({ length: width }, (_, label) => {
    const [p, r] = [ofLabel(predicted, label), ofLabel(references, label)]
    const hits = p.filter((each, i) => each === 1 && r[i] === 1).length
    const total = p.filter((each) => each === 1).length + r.filter((each) => each === 1).length
    return total === 0 ? 0 : (2 * hits) / total
  })
  return {
    macroF1: scores.reduce((sum, score) => sum + score, 0) / width,
    accuracy: accuracy(predicted.map(String), references.map(String)),
  }
}
