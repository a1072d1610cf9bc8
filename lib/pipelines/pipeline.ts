import { CheckpointError, ConfigError, describe } from '../errors.ts'
import { AutoTokenizer, type PretrainedOptions } from '../models/index.ts'
import { Tokenizer } from '../tokenizers/tokenizer.ts'
import { type AnyModel, type AnyTask, BoundTask, expectBatchSize } from './bound-task.ts'
import { featureExtraction } from './feature-extraction.ts'
import { fillMask } from './fill-mask.ts'
import { questionAnswering } from './question-answering.ts'
import { replacedTokenDetection } from './replaced-token-detection.ts'
import type { Task } from './task.ts'
import { textClassification } from './text-classification.ts'
import { summarization, text2textGeneration, translation } from './text2text-generation.ts'
import { tokenClassification } from './token-classification.ts'
import type { Pipeline, PipelineInput, PipelineModel, PipelineOptions, PipelineTask, PipelineTasks } from './types.ts'

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
  expectBatchSize('pipeline', batchSize)
  if (typeof model !== 'string') {
    expectModel(task, definition, model)
    if (given === undefined) {
      throw new ConfigError(`pipeline: expected options.tokenizer with a model that is there already, got none`)
    }
  }
  const tokenizer = await tokenizerOf(given ?? (model as string), model, pretrained)
  const loaded = typeof model === 'string' ? await loadModel(task, definition, model, pretrained) : null
  const bound = new BoundTask({
    op: task,
    task: definition,
    model: loaded ?? (model as unknown as AnyModel),
    tokenizer,
    batchSize,
    ownsModel: loaded !== null,
  })
  return functionOf(bound, definition, { task, model: loaded ?? model, tokenizer }) as Pipeline<T>
}

/** What the user calls. */
function functionOf(bound: BoundTask, { stream }: AnyTask, properties: object): unknown {
  const dispose = () => bound.dispose()
  return Object.assign((...args: Parameters<BoundTask['call']>) => bound.call(...args), {
    ...properties,
    dispose,
    [Symbol.dispose]: dispose,
    ...(stream && { stream: (...args: Parameters<BoundTask['stream']>) => bound.stream(...args) }),
  })
}

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
  const { device: _device, dtype: _dtype, seed: _seed, config: _config, revision, ...resolving } = options
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
