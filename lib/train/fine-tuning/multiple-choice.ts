import { DataError } from '../../errors.ts'
import { accuracy } from '../../metrics/index.ts'
import type { ElectraForMultipleChoice } from '../../models/index.ts'
import type { Encoding } from '../../tokenizers/encoding.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { argmaxAt, encoded, type Head, parts, valuesOf } from './head.ts'
import { numberIn, type PlacedRow, textIn, textsIn } from './rows.ts'

/** A text with the ways that it may go on. */
export interface ChoiceQuestion {
  /** The text with each choice. */
  readonly encodings: readonly Encoding[]
  /** Number of the right one. */
  readonly label: number
}

/**
 * @param rows with `text`, `choices` (an array of texts) and `label`, the number of the right one from 0.
 * @throws {DataError} for rows without them, or with different numbers of choices.
 */
export async function choiceQuestions(
  rows: readonly PlacedRow[],
  tokenizer: Tokenizer,
  maxLength: number,
): Promise<ChoiceQuestion[]> {
  const count = textsIn(rows[0] as PlacedRow, 'choices').length
  const questions = rows.map((row) => {
    const [text, choices, label] = [textIn(row, 'text'), textsIn(row, 'choices'), numberIn(row, 'label')]
    if (choices.length === count && count > 0 && Number.isInteger(label) && label >= 0 && label < count) {
      return { pairs: choices.map((choice) => [text, choice] as const), label }
    }
    throw new DataError(
      `data: expected ${count} choices and the number of one as label in ${row.place}, got ${choices.length} and ${label}`,
    )
  })
  const encodings = await encoded(
    tokenizer,
    questions.flatMap(({ pairs }) => pairs),
    maxLength,
  )
  return questions.map(({ label }, i) => ({ encodings: encodings.slice(i * count, (i + 1) * count), label }))
}

/** Fine-tunes a head that chooses one of several texts. */
export class MultipleChoiceHead implements Head<ChoiceQuestion, object> {
  readonly metric = 'accuracy'

  constructor(
    private readonly model: ElectraForMultipleChoice,
    private readonly tokenizer: Tokenizer,
  ) {}

  collate(questions: readonly ChoiceQuestion[]) {
    const batch = this.tokenizer.pad(questions.flatMap(({ encodings }) => encodings))
    const choices = (questions[0] as ChoiceQuestion).encodings.length
    const shape = [questions.length, choices, batch.shape[1]]
    const grid = (data: Int32Array) => ({ data, shape })
    return {
      inputIds: grid(batch.inputIds),
      attentionMask: grid(batch.attentionMask),
      tokenTypeIds: grid(batch.tokenTypeIds),
      labels: questions.map(({ label }) => label),
    }
  }

  async evaluate(questions: readonly ChoiceQuestion[], batchSize: number): Promise<Record<string, number>> {
    const predictions: number[] = []
    for (const part of parts(questions, batchSize)) {
      const { labels: _, ...inputs } = this.collate(part)
      const logits = await valuesOf(() => this.model.forward(inputs).logits)
      const choices = logits.length / part.length
      predictions.push(...part.map((_, i) => argmaxAt(logits, i * choices, choices)))
    }
    const references = questions.map(({ label }) => label)
    return { accuracy: accuracy(predictions, references) }
  }
}
