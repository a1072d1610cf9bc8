import { differentiable } from '../autograd/differentiable.ts'
import { inInference, noGrad } from '../autograd/grad-mode.ts'
import * as ops from '../ops/index.ts'
import { PackedWeight, ScreenedWeight, TransposedWeight } from '../ops/index.ts'
import { keep } from '../scope.ts'
import { Tensor } from '../tensor.ts'

/** Products of fewer rows read a weight where it lies as fast as in any other order. */
const leastRows = 6

/** Where reading the weight is what a product waits for, and there is enough of it to be worth a second pass. */
const screening = { mostRows: 16, leastOutputs: 2048 }

/** More rows have few zeros in common. */
const mostSparseRows = 4

interface NarrowCopy {
  readonly tensor: Tensor
  /** Of the weight, when it was copied. */
  readonly version: number
}

/**
 * The weight (outputs, inputs) of a linear layer, with the copies of it that products read, each made when one is first
 * asked for, and again after an update: for 16-bit inputs one in their dtype; for inference on the CPU one in the order in
 * which products read it, one whose rows inputs that are zero leave out, and one in 8 bits to find the largest of many
 * outputs. 16-bit weights, which are to save memory, have only the last.
 */
export class LinearWeight implements Disposable {
  #packed: PackedWeight | null = null
  #screened: ScreenedWeight | null = null
  #transposed: TransposedWeight | null = null
  #narrow: NarrowCopy | null = null

  constructor(private readonly tensor: Tensor) {}

  /** What a product with x (…, inputs) reads. @param leaf the weight with its tape, where that is not the tensor itself. */
  for(x: Tensor, leaf: () => Tensor = () => this.tensor): Tensor | PackedWeight {
    const rows = x.size / (this.tensor.shape[1] as number)
    const pays =
      rows >= leastRows && [x, this.tensor].every(({ dtype, device }) => dtype === 'float32' && device === 'cpu')
    if (!inInference() || !pays) return this.tensorFor(x, leaf)
    this.#packed ??= new PackedWeight(this.tensor, { transpose: true })
    return this.#packed
  }

  /** The same, for ops that take no packed weight. */
  tensorFor(x: Tensor, leaf: () => Tensor = () => this.tensor): Tensor {
    const narrows = x.dtype !== 'float32' && this.tensor.dtype === 'float32'
    return narrows ? narrowed(leaf(), this.#copyIn(x)) : leaf()
  }

  /** Which output is each row's largest, `banned` ones left out: (rows) int32. Needs no logits where rows are few. */
  argmax(x: Tensor, banned: readonly number[]): Tensor {
    const [outputs, inputs] = this.tensor.shape as [number, number]
    const tokens = banned.length > 0 ? Tensor.from(Int32Array.from(banned)) : null
    const few = x.size / inputs <= screening.mostRows && outputs >= screening.leastOutputs
    if (inInference() && few && x.dtype === 'float32' && x.device === 'cpu') {
      this.#screened ??= new ScreenedWeight(this.tensor)
      return ops.linearArgmax(x, this.#screened, { banned: tokens })
    }
    const logits = ops.linear(x, this.for(x))
    return ops.argmax(tokens ? ops.banTokens(logits, tokens) : logits)
  }

  /**
   * x·Wᵀ + residual where x is zero in many places; null where zeros would gain nothing. All (rows, …) float32.
   */
  timesSparse(x: Tensor, residual: Tensor): Tensor | null {
    const few = x.size / (this.tensor.shape[1] as number) <= mostSparseRows
    const operands = [x, residual, this.tensor]
    const fits = few && operands.every(({ dtype, device }) => dtype === 'float32' && device === 'cpu')
    if (!inInference() || !fits) return null
    this.#transposed ??= new TransposedWeight(this.tensor)
    return ops.sparseLinear(x, this.#transposed, { residual })
  }

  #copyIn({ dtype }: Tensor): Tensor {
    const { version } = this.tensor.contents
    if (this.#narrow?.version === version && this.#narrow.tensor.dtype === dtype) return this.#narrow.tensor
    this.#dropNarrow()
    const tensor = noGrad(() => keep(ops.cast(this.tensor, dtype)))
    this.#narrow = { tensor, version }
    return tensor
  }

  #dropNarrow(): void {
    this.#narrow?.tensor.dispose()
    this.#narrow = null
  }

  [Symbol.dispose](): void {
    for (const copy of [this.#packed, this.#screened, this.#transposed]) copy?.dispose()
    this.#packed = this.#screened = this.#transposed = null
    this.#dropNarrow()
  }
}

/** A 16-bit copy of a weight, whose gradient is the weight's. */
const narrowed = differentiable('narrowed', {
  forward: (_, _weight: Tensor, copy: Tensor) => copy.detach(),
  backward: (_, dCopy) => [ops.cast(dCopy, 'float32'), null],
})
