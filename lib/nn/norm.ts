import * as ops from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'
import { ones, type ParameterBuilder, zeros } from './parameters.ts'

/** weight · x / √(mean(x²) + eps), as T5 has it. */
export class RMSNorm {
  readonly weight: Tensor

  constructor(
    build: ParameterBuilder,
    columns: number,
    readonly eps: number,
  ) {
    this.weight = build.parameter('weight', [columns], ones)
  }

  /** @param x (N, columns). */
  forward(x: Tensor): Tensor {
    return ops.rmsNorm(x, this.weight, { eps: this.eps })
  }
}

/** weight · (x − mean) / √(variance + eps) + bias, as ELECTRA has it. */
export class LayerNorm {
  readonly weight: Tensor
  readonly bias: Tensor

  constructor(
    build: ParameterBuilder,
    columns: number,
    readonly eps: number,
  ) {
    this.weight = build.parameter('weight', [columns], ones)
    this.bias = build.parameter('bias', [columns], zeros)
  }

  /** @param x (N, columns). */
  forward(x: Tensor): Tensor {
    return ops.layerNorm(x, this.weight, this.bias, { eps: this.eps })
  }
}
