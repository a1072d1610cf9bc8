import { inInference } from '../autograd/grad-mode.ts'
import { PackedWeight } from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'

/** Products of fewer rows read a weight where it lies as fast as in any other order. */
const leastRows = 6

/**
 * The weight (outputs, inputs) of a linear layer, and for inference a copy in the order in which products read it: made when
 * one first has rows enough, and again after an update. 16-bit weights, which are to save memory, have none.
 */
export class LinearWeight implements Disposable {
  #packed: PackedWeight | null = null

  constructor(private readonly tensor: Tensor) {}

  /** What a product with x (…, inputs) reads. */
  for(x: Tensor): Tensor | PackedWeight {
    const rows = x.size / (this.tensor.shape[1] as number)
    const pays = rows >= leastRows && this.tensor.dtype === 'float32' && this.tensor.device === 'cpu'
    if (!inInference() || !pays) return this.tensor
    this.#packed ??= new PackedWeight(this.tensor, { transpose: true })
    return this.#packed
  }

  [Symbol.dispose](): void {
    this.#packed?.dispose()
    this.#packed = null
  }
}
