export * from './auto.ts'
export { AutoTokenizer } from './auto-tokenizer.ts'
export * from './electra.ts'
export { type ElectraConfig, parseElectraConfig } from './electra-config.ts'
export * from './electra-joint.ts'
export type { ClassifierOutput, SpanInputs, SpanOutput } from './heads.ts'
export type { ArrayInput, FlatArray, IdInputs, NumberArray } from './inputs.ts'
export {
  type LoadReport,
  type ModelOptions,
  PreTrainedModel,
  type PretrainedOptions,
  type RandomState,
  type SavePretrainedOptions,
} from './model.ts'
export { electraSizes, generatorFractions, generatorJson, t5Sizes } from './sizes.ts'
export {
  type OutputOptions,
  shiftRight,
  T5Block,
  type T5Context,
  type T5Encoded,
  type T5EncoderInputs,
  T5EncoderModel,
  type T5EncoderOutput,
  T5ForConditionalGeneration,
  type T5Inputs,
  type T5Output,
  type T5Seen,
  T5Stack,
  T5Trunk,
} from './t5.ts'
export { parseT5Config, type T5Config } from './t5-config.ts'
export * from './t5-heads.ts'
