import * as ops from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'
import type { Init, ParameterBuilder } from './parameters.ts'

/** A table of vectors, one for each id. */
export class Embedding {
  readonly weight: Tensor

  constructor(build: ParameterBuilder, rows: number, columns: number, init: Init) {
    this.weight = build.parameter('weight', [rows, columns], init)
  }

  /** @param ids (N) int32 in [0, rows). @returns (N, columns) float32. */
  forward(ids: Tensor): Tensor {
    // What is computed is float32 from here on, whatever holds the weights: 16 bits would overflow.
    return ops.cast(ops.embedding(this.weight, ids), 'float32')
  }
}
