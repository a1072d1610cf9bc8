// How a case of an op is declared. The forward test, the gradient check, the determinism test and the benchmark run from it.
import type { Tensor } from '../../lib/index.ts'
import type { NdArray, Round } from '../reference/array.ts'

export interface Input {
  readonly shape: readonly number[]
  /** Values by flat index; default a standard normal from the case's seed, times `scale`. */
  readonly values?: (index: number, random: Random) => number
  readonly scale?: number
  /** @default 'float32', which also runs in 16 bits; integers have no gradient */
  readonly dtype?: 'float32' | 'int32' | 'uint8'
  /** Hand it to the op as a non-contiguous view; 'rows': only rows are apart, the last dimension is dense. */
  readonly strided?: boolean | 'rows'
  /** @default true for floats */
  readonly gradient?: boolean
  /** int32 with a host copy: sequence offsets. */
  readonly host?: boolean
}

export interface Random {
  uniform(): number
  normal(): number
  integer(below: number): number
}

export type Inputs = Readonly<Record<string, Input>>
type Values = Readonly<Record<string, NdArray>>
type Tensors = Readonly<Record<string, Tensor>>

export interface Case {
  readonly name: string
  /** Ops of the registry that it exercises. */
  readonly covers: readonly string[]
  readonly inputs: Inputs
  /** Runs the op through the library; outputs in the order of the reference's. */
  run(tensors: Tensors): Tensor | readonly Tensor[]
  /** The same from the formula, in plain loops, rounding after every operation. */
  reference(values: Values, r: Round): readonly NdArray[]
  /** Gradients of the float inputs (those with `gradient`), by name, given cotangents of the outputs; absent: no gradient. */
  gradient?(values: Values, cotangents: readonly NdArray[], r: Round): Readonly<Record<string, NdArray>>
  /** Also run forward with inputs stored in 16 bits. @default true */
  readonly sixteenBit?: boolean
  /**
   * False where 16-bit gradients overflow, or cancel to less than what the rounding of a saved output leaves of them: no
   * plain computation that stores that output could do better.
   */
  readonly sixteenBitGradient?: false
  /** False where values are so large that central differences cancel; another case of the op must have them. */
  readonly centralDifferences?: false
  /** In units of the derived tolerance, with the reason why this case needs another factor. */
  readonly tolerance?: { readonly factor: number; readonly reason: string }
  /** Work of one forward, for the benchmark; a case without is not benched. */
  readonly flops?: number
  readonly bytes?: number
}
