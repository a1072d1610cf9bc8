// What a work is, and operands for it.
import { type DType, Tensor } from '../../../lib/index.ts'
import { randomOf } from '../../../test/harness.ts'

export interface Work {
  readonly name: string
  /** Makes the operands; the call that comes back is what is counted. */
  prepare(): () => unknown
  /** Whether float32 products may round to tf32. */
  readonly tf32?: true
}

/** A call on operands that are made before. */
export const on =
  <Operands extends Tensor[]>(make: () => [...Operands], call: (...operands: Operands) => unknown): Work['prepare'] =>
  () => {
    const operands = make()
    return () => call(...operands)
  }

type Shape = readonly number[]
export type FloatDType = 'float32' | 'float16' | 'bfloat16'

const random = randomOf(1)
export const floatDTypes = ['float32', 'float16', 'bfloat16'] as const
export const sixteenBit = ['float16', 'bfloat16'] as const

export function float(shape: Shape, dtype: DType = 'float32', scale = 1): Tensor {
  const count = shape.reduce((product, n) => product * n, 1)
  return Tensor.from(
    Float32Array.from({ length: count }, () => random.normal() * scale),
    { shape, dtype },
  )
}

export function integers(shape: Shape, below: number, dtype: 'int32' | 'uint8' = 'int32'): Tensor {
  const count = shape.reduce((product, n) => product * n, 1)
  return Tensor.from(
    Int32Array.from({ length: count }, () => random.integer(below)),
    { shape, dtype },
  )
}

export const range = (n: number) => Tensor.from(Int32Array.from({ length: n }, (_, i) => i))
export const offsets = (...of: number[]) => Tensor.fromWithHostCopy(Int32Array.from(of))
/** Rows with a gap after each: no longer dense. */
export function gapped(shape: readonly [number, number], dtype: DType): Tensor {
  const [rows, columns] = shape
  return float([rows, columns + 8], dtype).view(shape, [columns + 8, 1], 0)
}

export const dropout = { dropoutP: 0.1, seed: 1, site: 2, step: 3 }

/** Tokens and model width of element-wise work. */
export const rows = [256, 768] as const
/** Of T5. */
export const vocabulary = 32128
