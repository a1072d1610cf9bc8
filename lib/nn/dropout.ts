import type { DropoutOptions, EpilogueOptions } from '../ops/index.ts'
import * as ops from '../ops/index.ts'
import type { Packing } from '../packing.ts'
import { Tensor } from '../tensor.ts'
import { type ComputeDType, inDType } from './compute.ts'

/** What all layers of one forward pass share. */
export interface Pass {
  /** Whether dropout is on. */
  readonly training: boolean
  /** Of the run; micro-batch and rank go into it. */
  readonly seed: number
  /** Step of the training. */
  readonly step: number
}

/** `length`: all tokens of a sequence share one mask, as in T5's own training code; `none`: each element has its own. */
export type DropoutBroadcast = 'none' | 'length'

const nothingDropped = { dropoutP: 0, seed: 0, site: 0, step: 0 }

/** One place that drops. */
export class Dropout {
  constructor(
    /** Probability of zeroing. */
    readonly p: number,
    readonly site: number,
    readonly broadcast: DropoutBroadcast,
  ) {}

  /** x (N, …) with its elements dropped, in training. */
  forward(x: Tensor, packing: Packing, pass: Pass): Tensor {
    if (!this.active(pass)) return x
    return this.broadcast === 'length' ? this.#perSequence(x, packing, pass) : ops.dropout(x, this.options(pass))
  }

  /** The same at the end of a product, which does it in its own pass where masks are not shared. */
  after(product: (epilogue: EpilogueOptions) => Tensor, packing: Packing, pass: Pass): Tensor {
    if (this.broadcast === 'none') return product(this.options(pass))
    return this.forward(product({}), packing, pass)
  }

  /** residual + dropout(product). */
  addTo(residual: Tensor, product: (epilogue: EpilogueOptions) => Tensor, packing: Packing, pass: Pass): Tensor {
    if (this.broadcast === 'none') {
      const { dropoutP, seed, site, step } = this.options(pass)
      return product({ dropoutP, seed, site, step, residual })
    }
    return ops.add(residual, inDType(this.forward(product({}), packing, pass), residual.dtype as ComputeDType))
  }

  active({ training }: Pass): boolean {
    return training && this.p > 0
  }

  /** For an op that drops by itself. */
  options({ training, seed, step }: Pass): Required<DropoutOptions> {
    return training ? { dropoutP: this.p, seed, site: this.site, step } : nothingDropped
  }

  #perSequence(x: Tensor, packing: Packing, pass: Pass): Tensor {
    const sequences = packing.cuSeqlens.length - 1
    const columns = x.shape[1] as number
    const masks = ops.dropout(Tensor.ones([sequences, columns], { dtype: x.dtype }), this.options(pass))
    return ops.mul(x, ops.gatherRows(masks, Tensor.from(sequenceOfRows(packing))))
  }
}

function sequenceOfRows({ cuSeqlens, rows }: Packing): Int32Array {
  const result = new Int32Array(rows)
  for (let b = 0; b + 1 < cuSeqlens.length; b++) result.fill(b, cuSeqlens[b], cuSeqlens[b + 1])
  return result
}
