import { StateError } from '../errors.ts'
import { keep, scope, trackNode } from '../scope.ts'
import { denseStrides, native, type TapeNode, Tensor } from '../tensor.ts'
import { withGrad } from './grad-mode.ts'

/** Where a gradient goes: to an output of the node that made a tensor, or to a leaf. */
export type Edge = { readonly node: TapeRecord; readonly output: number } | { readonly leaf: Tensor } | null

/** Gradients of a node's inputs, one for each edge; null where there is none. */
export type Gradients = readonly (Tensor | null)[]

/** How one node runs backwards, given the gradients of its outputs (null: zero). */
export type Backward = (gradients: Gradients) => Gradients

/** What a record keeps for its backward. */
export interface Saved {
  /** Takes it out of all scopes. */
  keep(): void
  release(): void
}

export function usedTape(op: string): StateError {
  return new StateError(`backward: expected the tape of ${op} to be unused, got one that was used or left its scope`)
}

let sequence = 0

/**
 * One record of the tape. Records hang on the tensors they made, so a tape lives exactly as long as its results.
 * Backward meets them in the reverse of the order they were made in: all uses of a tensor come before its making, and
 * gradients are added in one order always, whatever the shape of the graph.
 */
export class TapeRecord implements TapeNode {
  readonly sequence = ++sequence
  #used = false

  constructor(
    readonly name: string,
    readonly edges: readonly Edge[],
    private backwardOf: Backward | null,
    private readonly saved: Saved,
    /** Instead of `backwardOf`: computes the output again, with a tape (see checkpoint.ts). */
    private recomputeOf: (() => Tensor) | null = null,
  ) {
    // What is saved lives as long as this record, whichever scope it was made in.
    saved.keep()
    trackNode(this)
  }

  *parents(): Generator<TapeRecord> {
    for (const edge of this.edges) if (edge && 'node' in edge) yield edge.node
  }

  /** Drops what was saved; backward through this record is over. */
  release(): void {
    this.#used = true
    this.saved.release()
    this.backwardOf = null
    this.recomputeOf = null
  }

  run(gradients: Gradients): Gradients {
    this.expectUnused()
    return (this.backwardOf as Backward)(gradients)
  }

  recompute(): Tensor | null {
    this.expectUnused()
    return this.recomputeOf ? scope(this.recomputeOf) : null
  }

  private expectUnused(): void {
    if (this.#used) throw usedTape(this.name)
  }

  backward(output: number, gradient: Tensor | null, tensor: Tensor): void {
    this.expectUnused()
    withGrad(false, 'backward', () => {
      const seed = gradient ? gradient.detach() : Tensor.ones(tensor.shape, { dtype: tensor.dtype })
      new Pass().run(this, output, seed)
    })
  }
}

/** Edge by which gradients reach `tensor`. */
export function edgeOf(tensor: Tensor): Edge {
  if (tensor.node) return { node: tensor.node as TapeRecord, output: tensor.outputIndex }
  return tensor.requiresGrad ? { leaf: tensor } : null
}

/** One run of backward: what still waits, and the gradients that arrived so far. Every gradient held here is owned. */
class Pass {
  readonly #pending = new Map<TapeRecord, (Tensor | null)[]>()
  readonly #heap: TapeRecord[] = []

  run(node: TapeRecord, output: number, seed: Tensor): void {
    try {
      this.#arrive({ node, output }, seed)
      for (let next = this.#pop(); next; next = this.#pop()) this.#step(next)
    } finally {
      for (const gradients of this.#pending.values()) for (const gradient of gradients) gradient?.dispose()
    }
  }

  #step(node: TapeRecord): void {
    const gradients = this.#pending.get(node) as (Tensor | null)[]
    const recomputed = node.recompute()
    if (recomputed) {
      this.#pending.delete(node)
      // The recomputed records are newer than all that wait, so they come next, in the order they would have had.
      this.#arrive(edgeOf(recomputed), gradients[0] as Tensor)
      recomputed.dispose()
    } else {
      // Whatever the op's backward leaves behind goes at once; what it hands on must be nobody else's.
      const results = scope(() => node.run(gradients).map((g, i) => (g && node.edges[i] ? g.detach() : null)))
      this.#pending.delete(node)
      for (const gradient of gradients) gradient?.dispose()
      results.forEach((gradient, i) => {
        if (gradient) this.#arrive(node.edges[i] as Edge, gradient)
      })
    }
    node.release()
  }

  #arrive(edge: Edge, gradient: Tensor): void {
    if (!edge) {
      gradient.dispose()
      return
    }
    if ('leaf' in edge) {
      accumulateLeaf(edge.leaf, gradient)
      return
    }
    const waiting = this.#pending.get(edge.node)
    if (!waiting) {
      const slots: (Tensor | null)[] = []
      slots[edge.output] = gradient
      this.#pending.set(edge.node, slots)
      this.#push(edge.node)
    } else {
      const before = waiting[edge.output]
      waiting[edge.output] = before ? sumOf(before, gradient) : gradient
    }
  }

  // A binary heap by sequence, newest first.
  #push(node: TapeRecord): void {
    const heap = this.#heap
    let i = heap.push(node) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if ((heap[parent] as TapeRecord).sequence >= node.sequence) break
      heap[i] = heap[parent] as TapeRecord
      i = parent
    }
    heap[i] = node
  }

  #pop(): TapeRecord | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (!top || !last || top === last) return top
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] as TapeRecord).sequence > (heap[child] as TapeRecord).sequence)
        child++
      if ((heap[child] as TapeRecord).sequence <= last.sequence) break
      heap[i] = heap[child] as TapeRecord
      i = child
    }
    heap[i] = last
    return top
  }
}

/** Adds two owned gradients in float32 and takes both over. */
function sumOf(before: Tensor, gradient: Tensor): Tensor {
  const sum = exclusive(before)
  native.accumulate(sum, gradient)
  gradient.dispose()
  return sum
}

/** A dense float32 tensor that can be added to: this one when it is so and nothing else views its contents, else a copy. */
function exclusive(gradient: Tensor): Tensor {
  const dense = denseStrides(gradient.shape).every((stride, i) => stride === gradient.strides[i])
  if (dense && gradient.dtype === 'float32' && gradient.contents.owners === 1) return gradient
  const copy = native.cast(gradient, { dtype: 'float32' })
  gradient.dispose()
  return copy
}

function accumulateLeaf(leaf: Tensor, gradient: Tensor): void {
  if (leaf.grad) {
    native.accumulate(leaf.grad, gradient)
    gradient.dispose()
  } else {
    // The gradient outlives the scope that backward ran in: it belongs to the leaf.
    leaf.grad = keep(exclusive(gradient))
  }
}
