import { ConfigError, StateError } from '../errors.ts'
import type { PreTrainedModel } from '../models/index.ts'
import type { Tokenizer } from '../tokenizers/tokenizer.ts'
import { mapBatches, streamBatches } from './batches.ts'
import { expectOptions, integer, signal as signalCheck, textOf } from './options.ts'
import type { Task, TaskContext } from './task.ts'
import type { GenerationTask } from './text2text-generation.ts'
import type { PipelineCallOptions } from './types.ts'

/** A model, whichever the task has: only the task's own functions look into it. */
export type AnyModel = PreTrainedModel<{ readonly json: Readonly<Record<string, unknown>> }>

/** A task, whichever was chosen; those that generate text also stream it. */
export type AnyTask = Task<unknown, object, unknown, AnyModel> &
  Partial<Pick<GenerationTask<object, unknown>, 'stream'>>

/** Options of a call, those of its task included. */
type CallOptions = PipelineCallOptions & Readonly<Record<string, unknown>>

const callChecks = { batchSize: integer(1), signal: signalCheck }

/** @throws {ConfigError} unless it is an integer above 0. */
export function expectBatchSize(op: string, batchSize: unknown): void {
  expectOptions(op, { batchSize }, callChecks)
}

export interface BoundTaskParts {
  readonly op: string
  readonly task: AnyTask
  readonly model: AnyModel
  readonly tokenizer: Tokenizer
  readonly batchSize: number
  /** Whether the model goes with the pipeline. */
  readonly ownsModel: boolean
}

/** A task with the model and the tokenizer that do it: one input, an array, or what an iterable gives. */
export class BoundTask {
  #disposed = false

  constructor(private readonly parts: BoundTaskParts) {}

  /** @returns a promise of one result or of an array; of an iterable that is no array, a generator. */
  call(input: unknown, options: CallOptions = {}): Promise<unknown> | AsyncGenerator<unknown, void> {
    if (Array.isArray(input)) return this.#all(input, options)
    return isIterable(input) ? this.#each(input, options) : this.#one(input, options)
  }

  /** The text that is generated for an input, as it is found. */
  async *stream(input: unknown, { signal, ...options }: CallOptions = {}): AsyncGenerator<string, void> {
    const { op, task } = this.parts
    expectOptions(op, { signal }, { signal: signalCheck })
    task.checkOptions(op, options)
    if (!task.stream) throw new ConfigError(`${op}: expected a task that generates text, got one that does not`)
    // Nothing but generating is asked of the model.
    yield* task.stream(this.#context(signal) as never, textOf(op, input), options)
  }

  dispose(): void {
    this.#disposed = true
    if (this.parts.ownsModel) this.parts.model.dispose()
  }

  async #one(input: unknown, options: CallOptions): Promise<unknown> {
    const [output] = await this.#prepared(options).run([input])
    return output
  }

  async #all(inputs: readonly unknown[], options: CallOptions): Promise<unknown[]> {
    const { op, task } = this.parts
    const { run, batchSize } = this.#prepared(options)
    // All of them before the first is computed.
    for (const input of inputs) task.checkInput(op, input)
    return mapBatches(inputs, batchSize, run)
  }

  async *#each(inputs: AsyncIterable<unknown> | Iterable<unknown>, options: CallOptions) {
    const { run, batchSize } = this.#prepared(options)
    yield* streamBatches(inputs, batchSize, run)
  }

  /** Checks the options of a call. */
  #prepared({ batchSize = this.parts.batchSize, signal, ...options }: CallOptions) {
    const { op, task } = this.parts
    expectOptions(op, { batchSize, signal }, callChecks)
    task.checkOptions(op, options)
    const run = (inputs: readonly unknown[]) => {
      signal?.throwIfAborted()
      const checked = inputs.map((input) => task.checkInput(op, input))
      return task.run(this.#context(signal), checked, options)
    }
    this.#context(signal)
    return { run, batchSize }
  }

  #context(signal: AbortSignal | undefined): TaskContext<AnyModel> {
    const { op, model, tokenizer } = this.parts
    if (!this.#disposed) return { op, model, tokenizer, signal }
    throw new StateError(`${op}: expected a pipeline that was not disposed of, got one that was`)
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}
