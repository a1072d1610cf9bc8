import { CheckpointError, ConfigError, describe, StateError } from '../errors.ts'
import { AutoTokenizer, type PreTrainedModel, type PretrainedOptions } from '../models/index.ts'
import { Tokenizer } from '../tokenizers/tokenizer.ts'
import { mapBatches, streamBatches } from './batches.ts'
import { featureExtraction } from './feature-extraction.ts'
import { fillMask } from './fill-mask.ts'
import { expectOptions, integer, signal as signalCheck, textOf } from './options.ts'
import { questionAnswering } from './question-answering.ts'
import { replacedTokenDetection } from './replaced-token-detection.ts'
import type { Task, TaskContext } from './task.ts'
import { textClassification } from './text-classification.ts'
import { type GenerationTask, summarization, text2textGeneration, translation } from './text2text-generation.ts'
import { tokenClassification } from './token-classification.ts'
import type {
  Pipeline,
  PipelineCallOptions,
  PipelineInput,
  PipelineModel,
  PipelineOptions,
  PipelineTask,
  PipelineTasks,
} from './types.ts'

type TaskOf<T extends PipelineTask> = Task<
  PipelineInput<T>,
  PipelineTasks[T]['options'],
  PipelineTasks[T]['output'] | PipelineTasks[T]['switched'],
  PipelineModel<T>
>

const tasks: { readonly [T in PipelineTask]: TaskOf<T> } = {
  'text2text-generation': text2textGeneration,
  summarization,
  translation,
  'text-classification': textClassification,
  'token-classification': tokenClassification,
  'question-answering': questionAnswering,
  'fill-mask': fillMask,
  'feature-extraction': featureExtraction,
  'replaced-token-detection': replacedTokenDetection,
}

// What all tasks have in common once a name has chosen one: nobody but its own functions looks into these.
type AnyModel = PreTrainedModel<{ readonly json: Readonly<Record<string, unknown>> }>
type AnyTask = Task<unknown, object, unknown, AnyModel> & Partial<Pick<GenerationTask<object, unknown>, 'stream'>>

const defaultBatchSize = 8

/**
 * A model and its tokenizer behind a function: text in, plain objects out. Batches are packed, run without a tape, and leave
 * no memory behind.
 *
 *     using classify = await pipeline('text-classification', 'org/model')
 *     await classify('What a day!') // { label: 'joy', score: 0.98 }
 *     await classify(['One.', 'Two.'], { topK: 2 }) // an array of arrays
 *     for await (const { label } of classify(lines)) … // any iterable
 *
 * @param model a folder, `org/name` of the hub, or a model that is there already, which needs `options.tokenizer`.
 * @throws {ConfigError} for an unknown task, a model that cannot do it, or no tokenizer.
 * @throws {CheckpointError} if a file is missing or malformed, or the checkpoint does not have the head of the task.
 */
export async function pipeline<T extends PipelineTask>(
  task: T,
  model: string | PipelineModel<T>,
  options: PipelineOptions = {},
): Promise<Pipeline<T>> {
  if (!Object.hasOwn(tasks, task)) {
    throw new ConfigError(`pipeline: expected a task of ${Object.keys(tasks).join(', ')}, got ${describe(task)}`)
  }
  const definition = tasks[task] as unknown as AnyTask
  const { tokenizer: given, batchSize = defaultBatchSize, ...pretrained } = options
  expectOptions('pipeline', { batchSize }, callChecks)
  if (typeof model !== 'string') {
    expectModel(task, definition, model)
    if (given === undefined) {
      throw new ConfigError(`pipeline: expected options.tokenizer with a model that is there already, got none`)
    }
  }
  const tokenizer = await tokenizerOf(given ?? (model as string), model, pretrained)
  const loaded = typeof model === 'string' ? await loadModel(task, definition, model, pretrained) : null
  return bind(task, definition, {
    model: loaded ?? (model as unknown as AnyModel),
    tokenizer,
    batchSize,
    owned: loaded,
  }) as Pipeline<T>
}

const callChecks = { batchSize: integer(1), signal: signalCheck }

function expectModel(task: string, { classes }: AnyTask, model: unknown): void {
  if (classes.some((Class) => model instanceof Class)) return
  const names = classes.map(({ name }) => name).join(' or ')
  throw new ConfigError(
    `pipeline: expected a folder, a hub id or a model of ${names} for ${task}, got ${describe(model)}`,
  )
}

function tokenizerOf(
  given: Tokenizer | string,
  model: unknown,
  options: PretrainedOptions,
): Promise<Tokenizer> | Tokenizer {
  if (given instanceof Tokenizer) return given
  if (typeof given !== 'string') {
    throw new ConfigError(
      `pipeline: expected tokenizer to be a tokenizer, a folder or a hub id, got ${describe(given)}`,
    )
  }
  // The revision is the model's.
  const { device: _device, dtype: _dtype, seed: _seed, revision, ...resolving } = options
  return AutoTokenizer.fromPretrained(given, {
    ...resolving,
    ...(given === model && revision !== undefined && { revision }),
  })
}

async function loadModel(
  task: string,
  { loader }: AnyTask,
  idOrPath: string,
  options: PretrainedOptions,
): Promise<AnyModel> {
  const model = await loader.fromPretrained(idOrPath, options)
  const { missing } = model.loadReport
  if (missing.length === 0 && !options.signal?.aborted) return model
  model.dispose()
  options.signal?.throwIfAborted()
  throw new CheckpointError(
    `pipeline: expected a model trained for ${task} in ${idOrPath}, got one without ${missing[0]}: fine-tune it first`,
  )
}

interface Parts {
  readonly model: AnyModel
  readonly tokenizer: Tokenizer
  readonly batchSize: number
  /** The model, if it goes with the pipeline. */
  readonly owned: AnyModel | null
}

type CallOptions = PipelineCallOptions & Readonly<Record<string, unknown>>

function bind(op: PipelineTask, task: AnyTask, { model, tokenizer, batchSize, owned }: Parts): unknown {
  let disposed = false
  const contextOf = (signal: AbortSignal | undefined): TaskContext<AnyModel> => {
    if (disposed) throw new StateError(`${op}: expected a pipeline that is not disposed, got a disposed one`)
    return { op, model, tokenizer, signal }
  }
  const prepare = ({ batchSize: size = batchSize, signal, ...options }: CallOptions) => {
    expectOptions(op, { batchSize: size, signal }, callChecks)
    task.checkOptions(op, options)
    const run = (inputs: readonly unknown[]) => {
      const context = contextOf(signal)
      signal?.throwIfAborted()
      return task.run(
        context,
        inputs.map((input) => task.checkInput(op, input)),
        options,
      )
    }
    return { run, size }
  }
  const one = async (input: unknown, options: CallOptions) => {
    const { run } = prepare(options)
    const [output] = await run([input])
    return output
  }
  const all = async (inputs: readonly unknown[], options: CallOptions) => {
    const { run, size } = prepare(options)
    contextOf(options.signal)
    for (const input of inputs) task.checkInput(op, input)
    return mapBatches(inputs, size, run)
  }
  async function* each(inputs: AsyncIterable<unknown> | Iterable<unknown>, options: CallOptions) {
    const { run, size } = prepare(options)
    yield* streamBatches(inputs, size, run)
  }
  async function* stream(input: unknown, { signal, ...options }: CallOptions = {}) {
    expectOptions(op, { signal }, callChecks)
    task.checkOptions(op, options)
    yield* task.stream?.(contextOf(signal) as never, textOf(op, input), options) ?? []
  }
  const call = (input: unknown, options: CallOptions = {}) => {
    if (Array.isArray(input)) return all(input, options)
    return isIterable(input) ? each(input, options) : one(input, options)
  }
  const dispose = () => {
    disposed = true
    owned?.dispose()
  }
  return Object.assign(call, {
    task: op,
    model,
    tokenizer,
    dispose,
    [Symbol.dispose]: dispose,
    ...(task.stream && { stream }),
  })
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}
