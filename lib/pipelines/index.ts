export type { FeatureExtractionOptions, Features } from './feature-extraction.ts'
export type { FillMaskOptions, MaskPrediction } from './fill-mask.ts'
export { pipeline } from './pipeline.ts'
export type { Answer, QuestionAnsweringInput, QuestionAnsweringOptions } from './question-answering.ts'
export type { DetectedToken, ReplacedTokenDetectionOptions } from './replaced-token-detection.ts'
export type { TextClass, TextClassificationInput, TextClassificationOptions } from './text-classification.ts'
export type {
  GeneratedText,
  SummarizationOptions,
  SummaryText,
  Text2TextOptions,
  TextStream,
  TranslationOptions,
  TranslationText,
} from './text2text-generation.ts'
export type { AggregationStrategy, Entity, EntityGroup, TokenClassificationOptions } from './token-classification.ts'
export type {
  Pipeline,
  PipelineCallOptions,
  PipelineInput,
  PipelineModel,
  PipelineOptions,
  PipelineOutput,
  PipelineTask,
  PipelineTasks,
} from './types.ts'
