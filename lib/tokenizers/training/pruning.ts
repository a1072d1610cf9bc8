import { filter, largest } from './largest.ts'
import type { Lattice } from './lattice.ts'
import type { Slices } from './slices.ts'
import type { Substrings } from './substrings.ts'

/**
 * @internal The `count` pieces (characters in any case) whose loss would cost the words the most likelihood, if each of
 * their uses were cut into other pieces instead.
 *
 * @see Kudo 2018, Subword Regularization, section 3.2. https://arxiv.org/abs/1804.10959
 */
export async function pruned(
  lattice: Lattice,
  { order, begins, lengths }: Substrings,
  pieces: Int32Array,
  scores: Float64Array,
  count: number,
  slices: Slices,
): Promise<Int32Array> {
  const isCharacter = (piece: number) => lengths[piece] === 1
  const longer = await filter(pieces, (piece) => !isCharacter(piece), slices)
  const uses = await lattice.bestCounts(scores, slices)
  const total = uses.reduce((sum, count) => sum + count)
  const losses = new Float64Array(scores.length)
  for (const piece of longer) {
    const used = uses[piece] as number
    const others = used > 0 ? lattice.otherPieces(piece, order[begins[piece] as number] as number, scores) : []
    losses[piece] = used > 0 ? lossOf(used, others, uses, total) : -Infinity
    if (slices.due) await slices.rest()
  }
  const room = Math.max(0, count - (pieces.length - longer.length))
  const kept = new Uint8Array(scores.length)
  for (const piece of await largest(longer, losses, room, slices)) kept[piece] = 1
  return filter(pieces, (piece) => kept[piece] === 1 || isCharacter(piece), slices)
}

/** In nats over all words: a piece's uses become uses of others, whose shares grow. */
function lossOf(used: number, others: readonly number[], uses: Float64Array, total: number): number {
  const logTotal = Math.log(total + used * (others.length - 1))
  let logOthers = 0
  for (const piece of others) logOthers += Math.log((uses[piece] as number) + used) - logTotal
  return used * (Math.log(used / total) - logOthers)
}
