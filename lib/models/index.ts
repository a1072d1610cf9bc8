export * from './electra.ts'
export { type ElectraConfig, parseElectraConfig } from './electra-config.ts'
export type { ClassifierOutput, SpanInputs, SpanOutput } from './heads.ts'
export type { ArrayInput, NumberArray } from './inputs.ts'
export {
  type LoadReport,
  type ModelOptions,
  PreTrainedModel,
  type PretrainedOptions,
  type RandomState,
} from './model.ts'
export * from './t5.ts'
export { parseT5Config, type T5Config } from './t5-config.ts'
