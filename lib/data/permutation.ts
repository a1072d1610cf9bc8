import { philox, type Random } from '../random.ts'

/** Up to this many, the permutation is held as a table; above, it is computed, so that it takes no memory. */
const tableLimit = 2 ** 16

// Of a balanced Feistel network; four suffice for pseudorandomness (Luby and Rackoff 1988), more cost little.
const rounds = 6

/** @returns where each of 0 … n − 1 goes: a random permutation that `random` names. */
export function permutation(n: number, random: Random): (index: number) => number {
  if (n > tableLimit) return computedPermutation(n, random)
  const table = random.shuffle(Uint32Array.from({ length: n }, (_, i) => i))
  return (index) => table[index] as number
}

/**
 * A Feistel network over the smallest even number of bits that holds n; what falls outside n goes through it again
 * (cycle walking: Black and Rogaway 2002), less than four times in the mean.
 */
function computedPermutation(n: number, random: Random): (index: number) => number {
  const halfBits = Math.ceil(Math.log2(n) / 2)
  const half = 2 ** halfBits
  const key = Uint32Array.of(random.uint32(), random.uint32())
  const counter = new Uint32Array(4)
  const once = (index: number) => {
    let left = Math.floor(index / half)
    let right = index % half
    for (let round = 0; round < rounds; round++) {
      counter[0] = right
      counter[1] = round
      counter[2] = 0
      counter[3] = 0
      const mixed = ((philox(key, counter)[0] as number) & (half - 1)) >>> 0
      const next = (left ^ mixed) >>> 0
      left = right
      right = next
    }
    return left * half + right
  }
  return (index) => {
    let image = once(index)
    while (image >= n) image = once(image)
    return image
  }
}
