import * as ops from '../ops/index.ts'
import type { Packing, PackingTensors } from '../packing.ts'
import type { Tensor } from '../tensor.ts'

/** Which rows attend to which, as the attention op takes it. */
export interface AttentionRows {
  readonly cuSeqlens: Tensor
  readonly keyCuSeqlens: Tensor
  readonly positions: Tensor | null
  readonly keyPositions: Tensor | null
}

/** The rows of a batch, with the integer tensors that its layers share. */
export class PackedRows {
  #tensors: PackingTensors | null = null

  constructor(readonly packing: Packing) {}

  /** Made when they are needed, and again when the scope of the first use is over: a block may run anew in backward. */
  get tensors(): PackingTensors {
    if (!this.#tensors || this.#tensors.cuSeqlens.disposed) this.#tensors = this.packing.tensors()
    return this.#tensors
  }

  /** Makes the tensors in the current scope, so that all blocks of a stack share them. */
  prepare(): void {
    this.#tensors = this.tensors
  }

  /** Attention among these rows. */
  get self(): AttentionRows {
    return this.tensors
  }

  /** Attention from these rows to those of another batch, whatever their positions. */
  to(keys: PackedRows): AttentionRows {
    const { cuSeqlens } = this.tensors
    return { cuSeqlens, keyCuSeqlens: keys.tensors.keyCuSeqlens, positions: null, keyPositions: null }
  }

  /** The rows of x (N, …) that are keys. */
  keysOf(x: Tensor): Tensor {
    return this.tensors.keyRows ? ops.gatherRows(x, this.tensors.keyRows) : x
  }

  /** x (N, …) as the padded surface has it, (B, T, …), with zeros where there is no row. */
  unpack(x: Tensor): Tensor {
    const { batch, maxLength, rows } = this.packing
    const full = rows === batch * maxLength ? x : ops.scatterRows(x, this.tensors.index, batch * maxLength)
    return ops.reshape(full, [batch, maxLength, ...x.shape.slice(1)])
  }
}
