export type { GenerationConfig, TokenIds } from './config.ts'
export { LogitsContext } from './context.ts'
export { GenerationDefaults } from './defaults.ts'
export { type GenerateInputs, type GenerateOptions, type GenerateOutput, generate, generateStream } from './generate.ts'
export type { DecoderCapacity, DecoderState, EncoderInputs, GenerativeModel } from './model.ts'
export {
  applyProcessors,
  buildProcessors,
  type LogitsProcessor,
  type PrefixAllowedTokensFn,
  type ProcessorSettings,
} from './processors.ts'
export type { StepScores } from './run.ts'
export type { StoppingCriterion, TokenDecoder } from './stopping.ts'
export { textStream } from './text-stream.ts'
export type { TokenStep } from './token-search.ts'
