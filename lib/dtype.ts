import { ConfigError, describe } from './errors.ts'

/** Element types, in the order of DType in native/core/dtype.h. */
export const dtypes = ['float32', 'float16', 'bfloat16', 'int32', 'uint8', 'int8'] as const

/** Element type of a tensor. Ids are int32; int64 data is narrowed where it enters. */
export type DType = (typeof dtypes)[number]

/** What tensors are made from and read into; 16-bit floats are read as Float32Array. */
export type TypedArray = Float32Array | Int32Array | Uint8Array | Int8Array

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16'
}

/** @internal Number of a dtype at the native border. */
export function dtypeIndex(dtype: DType): number {
  const index = dtypes.indexOf(dtype)
  if (index < 0) throw new ConfigError(`dtype: expected ${dtypes.join(', ')}, got ${describe(dtype)}`)
  return index
}
