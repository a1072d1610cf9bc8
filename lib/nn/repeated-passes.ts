import { inInference } from '../autograd/grad-mode.ts'
import { Capture } from '../ops/capture.ts'
import * as ops from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'
import { groupRows } from './block.ts'
import { PackedRows } from './packed-rows.ts'
import type { ParameterBuilder } from './parameters.ts'

/** Kinds of batches that are remembered, the last to come. */
const mostKinds = 64

/**
 * A stack's passes in inference over batches of few rows, on the CPU: what such a pass takes is in good part JavaScript, on
 * cores that are to compute. Batches whose sequences have the lengths of earlier ones run the same ops over the same weights:
 * the second time these are captured, from the third on replayed. The first time weights get their packed copies.
 */
export class RepeatedPasses implements Disposable {
  readonly #build: ParameterBuilder
  /** By lengths and dtype; null for a kind that came once. */
  readonly #kinds = new Map<string, Capture | null>()
  #version = 0

  constructor(build: ParameterBuilder) {
    this.#build = build
    build.owns(this)
  }

  /**
   * @param x (N, dModel) of the sequences of `rows`.
   * @param pass the stack's result for x, without random numbers.
   * @returns that, in memory of its own.
   */
  run(x: Tensor, rows: PackedRows, pass: (x: Tensor, rows: PackedRows) => Tensor): Tensor {
    const { packing } = rows
    const plain = !packing.keyRows && !packing.positions && packing.rows > 0 && packing.rows <= groupRows
    if (!inInference() || x.device !== 'cpu' || !plain) return pass(x, rows)
    this.#expectVersion()
    const kind = `${this.#build.compute.dtype} ${packing.cuSeqlens.join()}`
    const capture = this.#kinds.get(kind)
    if (capture === undefined) this.#makeRoom()
    this.#kinds.delete(kind)
    this.#kinds.set(kind, capture ?? null)
    if (capture === undefined) return pass(x, rows)
    if (capture) return capture.replay([x])
    const input = ops.clone(x)
    const recorded = Capture.record([input], () => pass(input, new PackedRows(packing)))
    this.#kinds.set(kind, recorded.capture)
    return recorded.result
  }

  /** After an update, packed copies are others. */
  #expectVersion(): void {
    let version = 0
    for (const { contents } of this.#build.parameters.values()) version += contents.version
    if (version !== this.#version) this[Symbol.dispose]()
    this.#version = version
  }

  #makeRoom(): void {
    const [oldest] = this.#kinds
    if (this.#kinds.size < mostKinds || !oldest) return
    oldest[1]?.[Symbol.dispose]()
    this.#kinds.delete(oldest[0])
  }

  [Symbol.dispose](): void {
    for (const capture of this.#kinds.values()) capture?.[Symbol.dispose]()
    this.#kinds.clear()
  }
}
