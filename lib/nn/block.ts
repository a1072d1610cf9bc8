import { checkpoint } from '../autograd/checkpoint.ts'
import { scope } from '../scope.ts'
import type { Tensor } from '../tensor.ts'

export interface BlockOptions {
  /** See `checkpoint`. */
  readonly checkpointing: boolean
  /** Lists that a block adds tensors to which outlive it, where they are asked for. */
  readonly maps?: readonly (Tensor[] | null | undefined)[]
}

/**
 * Runs one block of a stack. What it makes on the way is disposed of at its end, but for what backward needs: the next block
 * then works in the same memory, which is still in caches.
 *
 * @param fn from the inputs to one tensor.
 */
export function runBlock(
  fn: (...inputs: readonly Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  { checkpointing, maps = [] }: BlockOptions,
): Tensor {
  const before = maps.map((list) => list?.length ?? 0)
  const [result] = scope(() => {
    const made = checkpointing ? checkpoint(fn, ...inputs) : fn(...inputs)
    return [made, ...maps.flatMap((list, i) => list?.slice(before[i]) ?? [])]
  })
  return result as Tensor
}
