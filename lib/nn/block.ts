import { checkpoint } from '../autograd/checkpoint.ts'
import { gradEnabled, inInference } from '../autograd/grad-mode.ts'
import * as ops from '../ops/index.ts'
import { scope } from '../scope.ts'
import type { Tensor } from '../tensor.ts'
import { PackedRows } from './packed-rows.ts'

export interface StackOptions {
  /** See `checkpoint`. */
  readonly checkpointing?: boolean
  /** Lists that a block adds tensors to which outlive it, where they are asked for. */
  readonly maps?: readonly (Tensor[] | null | undefined)[]
  /** Where each block's result is put, when they are asked for. */
  readonly states?: Tensor[] | null
}

/**
 * Runs the blocks of a stack, one after the other. What one makes on the way is disposed of at its end, but for what backward
 * needs: the next one then works in the same memory, which is still in caches.
 *
 * @param x what enters the first block.
 * @param block a block's result, from the one before it and `others`.
 * @param others what all blocks read that may have a gradient.
 */
export function runBlocks<B>(
  blocks: readonly B[],
  x: Tensor,
  block: (block: B, ...inputs: readonly Tensor[]) => Tensor,
  others: readonly Tensor[] = [],
  options: StackOptions = {},
): Tensor {
  const passing = !gradEnabled() && !options.states
  let h = x
  for (const each of blocks) {
    const before = h
    h = runBlock((...inputs) => block(each, ...inputs), [before, ...others], options)
    options.states?.push(h)
    if (passing && before !== x) before.dispose()
  }
  return h
}

function runBlock(
  fn: (...inputs: readonly Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  { checkpointing = false, maps = [] }: StackOptions,
): Tensor {
  const before = maps.map((list) => list?.length ?? 0)
  const [result] = scope(() => {
    const made = checkpointing ? checkpoint(fn, ...inputs) : fn(...inputs)
    return [made, ...maps.flatMap((list, i) => list?.slice(before[i]) ?? [])]
  })
  return result as Tensor
}

/** What a block of a usual model makes of so many rows stays in a last-level cache; and they are enough for products. */
export const groupRows = 512

/**
 * Runs the blocks of a stack on groups of sequences, all groups through one block before the next: what a block makes on the
 * way is then still in caches when it is read, and so is its weight. For inference on the CPU.
 *
 * @param x (N, dModel) of the sequences of `rows`.
 * @param block a block's result for a group.
 * @returns what the last block gave for all of them; null where there are no groups to make.
 */
export function runInGroups<B>(
  blocks: readonly B[],
  x: Tensor,
  rows: PackedRows,
  block: (block: B, x: Tensor, rows: PackedRows) => Tensor,
): Tensor | null {
  const applies = inInference() && x.device === 'cpu' && rows.packing.rows > groupRows
  const groups = applies ? groupsOf(rows) : []
  if (groups.length < 2) return null
  let parts = ops.split(
    x,
    groups.map(({ packing }) => packing.rows),
  )
  for (const group of groups) group.prepare()
  for (const each of blocks) {
    parts = parts.map((part, i) => {
      using before = part
      return scope(() => block(each, before, groups[i] as PackedRows))
    })
  }
  const result = ops.concat(parts)
  for (const part of parts) part.dispose()
  return result
}

/** Neighbouring sequences with at most `groupRows` together, or one that alone has more; none without rows. */
function groupsOf({ packing }: PackedRows): PackedRows[] {
  const rowsOf = (first: number, end: number) =>
    (packing.cuSeqlens[end] as number) - (packing.cuSeqlens[first] as number)
  const groups: PackedRows[] = []
  for (let first = 0, end = 1; first < packing.batch; first = end++) {
    const goesOn = () => rowsOf(first, end + 1) <= groupRows || rowsOf(first, end) === 0 || rowsOf(end, end + 1) === 0
    while (end < packing.batch && goesOn()) end++
    groups.push(new PackedRows(packing.part(first, end)))
  }
  return groups
}
