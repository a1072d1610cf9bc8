import type { PretrainedOptions } from '../models/index.ts'
import type { Tokenizer } from '../tokenizers/tokenizer.ts'

/** What a task works with in one call. */
export interface TaskContext<Model> {
  /** Name of the task, for messages. */
  readonly op: string
  readonly model: Model
  readonly tokenizer: Tokenizer
  readonly signal: AbortSignal | undefined
}

/** A class of models that does a task. */
type ModelClass<Model> = abstract new (...args: never) => Model

/** How a task is done; one file each. */
export interface Task<Input, Options, Output, Model> {
  /** Classes of models that can do it. */
  readonly classes: readonly ModelClass<Model>[]
  /** Loads one of them, whichever the folder has. */
  readonly loader: { fromPretrained(idOrPath: string, options?: PretrainedOptions): Promise<Model> }
  /**
   * @throws {DTypeError} for what is no input of the task.
   * @throws {DataError} for an empty text.
   */
  readonly checkInput: (op: string, input: unknown) => Input
  /** @throws {ConfigError} for an option that is unknown, or out of its range. */
  readonly checkOptions: (op: string, options: object) => void
  /** Gives the outputs of some inputs, at least one, computed together. */
  run(context: TaskContext<Model>, inputs: readonly Input[], options: Options): Promise<Output[]>
}
