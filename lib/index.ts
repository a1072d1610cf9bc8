export { checkpoint } from './autograd/checkpoint.ts'
export {
  type Context,
  differentiable,
  nonDifferentiable,
} from './autograd/differentiable.ts'
export { noGrad } from './autograd/grad-mode.ts'
export {
  type GradientCheckOptions,
  gradientCheck,
} from './autograd/gradient-check.ts'
export type { DownloadProgress } from './checkpoint/resolve.ts'
export { SafetensorsFile, type TensorInfo } from './checkpoint/safetensors.ts'
export {
  type NamedTensors,
  type SafetensorsOptions,
  saveSafetensors,
} from './checkpoint/safetensors-writer.ts'
export * as data from './data/index.ts'
export {
  type CudaInfo,
  type Device,
  type DeviceName,
  device,
  type MemoryUse,
  type OpCounter,
  runtimeInfo,
  setDefaultDevice,
  setThreads,
} from './device.ts'
export type { DType, TypedArray } from './dtype.ts'
export * from './errors.ts'
export * from './generate/index.ts'
export * as metrics from './metrics/index.ts'
export * from './models/index.ts'
export * as nn from './nn/index.ts'
export * as ops from './ops/index.ts'
export * as optim from './optim/index.ts'
export { Packing, type PackingTensors } from './packing.ts'
export * from './pipelines/index.ts'
export { Random } from './random.ts'
export { keep, scope } from './scope.ts'
export * as tasks from './tasks/index.ts'
export { Tensor, type TensorOptions } from './tensor.ts'
export type { BatchEncoding, Encoding, ModelInputs } from './tokenizers/encoding.ts'
export type {
  EncodeBatchOptions,
  EncodeOptions,
  EncodeTextOptions,
  PadOptions,
  TextInput,
} from './tokenizers/options.ts'
export type { DecodeOptions, Tokenizer } from './tokenizers/tokenizer.ts'
export { trainUnigram, type UnigramOptions } from './tokenizers/training/unigram.ts'
export { trainWordPiece, type WordPieceOptions } from './tokenizers/training/word-piece.ts'
export type { TruncationStrategy } from './tokenizers/truncation.ts'
export * as train from './train/index.ts'
