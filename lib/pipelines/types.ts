import type {
  ElectraForMaskedLM,
  ElectraForPreTraining,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
  PretrainedOptions,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForQuestionAnswering,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from '../models/index.ts'
import type { Tokenizer } from '../tokenizers/tokenizer.ts'
import type { FeatureExtractionOptions, Features } from './feature-extraction.ts'
import type { FillMaskOptions, MaskPrediction } from './fill-mask.ts'
import type { Answer, QuestionAnsweringInput, QuestionAnsweringOptions } from './question-answering.ts'
import type { DetectedToken, ReplacedTokenDetectionOptions } from './replaced-token-detection.ts'
import type { TextClass, TextClassificationInput, TextClassificationOptions } from './text-classification.ts'
import type {
  GeneratedText,
  SummarizationOptions,
  SummaryText,
  Text2TextOptions,
  TextStream,
  TranslationOptions,
  TranslationText,
} from './text2text-generation.ts'
import type { Entity, EntityGroup, TokenClassificationOptions } from './token-classification.ts'

/** What a task takes and gives. */
interface TaskTypes<Input, Options, Output, Model, Switch extends string = never, Switched = Output> {
  readonly input: Input
  readonly options: Options
  readonly output: Output
  readonly model: Model
  /** Option that, where it is given, makes the output `switched`. */
  readonly switch: Switch
  readonly switched: Switched
}

/** All tasks by name: their inputs, options and outputs. */
export interface PipelineTasks {
  'text2text-generation': TaskTypes<
    string,
    Text2TextOptions,
    GeneratedText,
    T5ForConditionalGeneration,
    'numReturnSequences',
    GeneratedText[]
  >
  summarization: TaskTypes<
    string,
    SummarizationOptions,
    SummaryText,
    T5ForConditionalGeneration,
    'numReturnSequences',
    SummaryText[]
  >
  translation: TaskTypes<
    string,
    TranslationOptions,
    TranslationText,
    T5ForConditionalGeneration,
    'numReturnSequences',
    TranslationText[]
  >
  'text-classification': TaskTypes<
    TextClassificationInput,
    TextClassificationOptions,
    TextClass,
    T5ForSequenceClassification | ElectraForSequenceClassification,
    'topK',
    TextClass[]
  >
  'token-classification': TaskTypes<
    string,
    TokenClassificationOptions,
    Entity[],
    T5ForTokenClassification | ElectraForTokenClassification,
    'aggregationStrategy',
    EntityGroup[]
  >
  'question-answering': TaskTypes<
    QuestionAnsweringInput,
    QuestionAnsweringOptions,
    Answer,
    T5ForQuestionAnswering | ElectraForQuestionAnswering,
    'topK',
    Answer[]
  >
  'fill-mask': TaskTypes<string, FillMaskOptions, MaskPrediction[] | MaskPrediction[][], ElectraForMaskedLM>
  'feature-extraction': TaskTypes<string, FeatureExtractionOptions, Features, T5EncoderModel | ElectraModel>
  'replaced-token-detection': TaskTypes<string, ReplacedTokenDetectionOptions, DetectedToken[], ElectraForPreTraining>
}

export type PipelineTask = keyof PipelineTasks

/** How a pipeline is made. */
export interface PipelineOptions extends PretrainedOptions {
  /** A tokenizer, or the folder or hub id of one. @default the one in the model's folder */
  readonly tokenizer?: Tokenizer | string
  /** Inputs of an array or iterable that are computed together. Packed, they cost no padding. @default 8 */
  readonly batchSize?: number
}

/** Options of a call, whatever the task. */
export interface PipelineCallOptions {
  /** @default that of the pipeline */
  readonly batchSize?: number
  /** The call rejects with its reason, and nothing of it stays. */
  readonly signal?: AbortSignal
}

export type PipelineInput<T extends PipelineTask> = PipelineTasks[T]['input']
export type PipelineOptionsOf<T extends PipelineTask> = PipelineTasks[T]['options'] & PipelineCallOptions
export type PipelineModel<T extends PipelineTask> = PipelineTasks[T]['model']

/** The output of a task, given the options of the call. */
export type PipelineOutput<T extends PipelineTask, O = unknown> = T extends PipelineTask
  ? SwitchedBy<O, PipelineTasks[T]['switch'], PipelineTasks[T]['output'], PipelineTasks[T]['switched']>
  : never

type SwitchedBy<O, Switch extends string, Output, Switched> = O extends { [K in Switch]: 'none' }
  ? Output
  : O extends { [K in Switch]: number | string | null }
    ? Switched
    : Switch extends keyof O
      ? Output | Switched
      : Output

/** Refuses options that the task does not have, which a type parameter alone would let through. */
type Only<O, Known> = O & { readonly [K in Exclude<keyof O, keyof Known>]: never }

type Nothing = Record<never, never>

/** A model and its tokenizer behind a function: text in, plain objects out. */
export interface PipelineBase<T extends PipelineTask> extends Disposable {
  /** One input, one result. */
  <const O extends PipelineOptionsOf<T> = Nothing>(
    input: PipelineInput<T>,
    options?: Only<O, PipelineOptionsOf<T>>,
  ): Promise<PipelineOutput<T, O>>
  /** An array of inputs, an array of results, in order. */
  <const O extends PipelineOptionsOf<T> = Nothing>(
    inputs: readonly PipelineInput<T>[],
    options?: Only<O, PipelineOptionsOf<T>>,
  ): Promise<PipelineOutput<T, O>[]>
  /** Inputs as they come, results as they are ready, in order. An input waits until `batchSize` of them are there. */
  <const O extends PipelineOptionsOf<T> = Nothing>(
    inputs: AsyncIterable<PipelineInput<T>> | Iterable<PipelineInput<T>>,
    options?: Only<O, PipelineOptionsOf<T>>,
  ): AsyncGenerator<PipelineOutput<T, O>, void>
  readonly task: T
  readonly model: PipelineModel<T>
  readonly tokenizer: Tokenizer
  /** Gives the memory of the model back, if the pipeline loaded it; one that was handed in stays. */
  dispose(): void
}

type GenerationTask = 'text2text-generation' | 'summarization' | 'translation'

/** The pipeline of a task; those that generate text also stream it. */
export type Pipeline<T extends PipelineTask> = PipelineBase<T> &
  (T extends GenerationTask ? { readonly stream: TextStream<PipelineTasks[T]['options']> } : unknown)
