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
export { SafetensorsFile, type TensorInfo } from './checkpoint/safetensors.ts'
export {
  type NamedTensors,
  type SafetensorsOptions,
  saveSafetensors,
} from './checkpoint/safetensors-writer.ts'
export {
  type Device,
  device,
  type MemoryUse,
  runtimeInfo,
  setThreads,
} from './device.ts'
export type { DType, TypedArray } from './dtype.ts'
export * from './errors.ts'
export * from './generate/index.ts'
export * from './models/index.ts'
export * as nn from './nn/index.ts'
export * as ops from './ops/index.ts'
export * as optim from './optim/index.ts'
export { Packing, type PackingTensors } from './packing.ts'
export { keep, scope } from './scope.ts'
export { Tensor, type TensorOptions } from './tensor.ts'
