import type { Row } from '../data/index.ts'

/** A row in words. */
export interface TextExample {
  /** What the model reads. */
  readonly input: string
  /** What it is to write. */
  readonly target: string
  /** All right answers, where there may be several. @default the target alone */
  readonly answers?: readonly string[]
  /** False where the target is a wrong answer, which is scored but not trained on. @default true */
  readonly isRight?: boolean
  /** What examples have in common that are scored together: the question that they answer. */
  readonly group?: string
}

/** A task in text-to-text form: everything is a text that a model reads and a text that it writes. */
export interface TextTask {
  readonly name: string
  /** Most tokens of a target. */
  readonly maxTargetLength: number
  /**
   * A row in words: one example, or one for each answer to train on, of which the first is also evaluated.
   *
   * @throws {DataError} for a row without the columns of the task, or with other values in them.
   */
  readonly format: (row: Row) => readonly TextExample[]
  /** Which of the scores says what is better; larger is. */
  readonly metric: string
  /** Compares what was written, one text for each example. */
  readonly score: (predictions: readonly string[], examples: readonly TextExample[]) => Readonly<Record<string, number>>
}

/** The right answers of an example. */
export function answersOf({ answers, target }: TextExample): readonly string[] {
  return answers ?? [target]
}
