import { type Context, differentiable } from '../autograd/differentiable.ts'
import { native, Tensor } from '../tensor.ts'

export interface AttentionOptions {
  /** (B + 1) int32 with a host copy, from `Packing.tensors()`: first query row of each sequence. @default one sequence */
  cuSeqlens?: Tensor | null
  /** (B + 1) the same for key rows. @default cuSeqlens; without it, one sequence */
  keyCuSeqlens?: Tensor | null
  /** (Nq) int32 in [0, 2^20): position of each query in its sequence; needs keyPositions. @default 0, 1, 2, … */
  positions?: Tensor | null
  /** (Nk) int32, of each key. @default 0, 1, 2, … */
  keyPositions?: Tensor | null
  /** (numBuckets, H) T5's relative position bias. */
  biasTable?: Tensor | null
  /** (1 or B, H, Tq, Tk) added to the scores, by position within the sequence; −inf hides a key. */
  biasDense?: Tensor | null
  /** Factor of Q·Kᵀ: 1 in T5, 1/√D in ELECTRA. @default 1 */
  scale?: number
  /**
   * Keys after the query are hidden. Without positions the last query sees the last key, whatever the two lengths.
   * @default false
   */
  causal?: boolean
  /** Of the table: whether keys before and after the query have buckets of their own. @default true */
  bidirectional?: boolean
  /** Of the table: distances from here on share the last bucket. @default 128 */
  maxDistance?: number
  /** Probability of zeroing a softmax probability. @default 0 */
  dropoutP?: number
  /** Where the random numbers of dropout come from: seed of the run, number of the module, step. @default 0 */
  seed?: number
  site?: number
  step?: number
}

/**
 * Scaled dot-product attention over packed sequences: `softmax(scale · Q·Kᵀ + bias) · V`, head by head, in memory linear in
 * the number of tokens, forward and backward.
 *
 * Query i and key j of a sequence are `posK − posQ − offset` apart: 0 and negative ones are what `causal` shows, and T5's
 * bucket of it picks the table's row. The offset is 0 where positions are given, else keys − queries of the sequence.
 *
 * @param q (Nq, H, D) float; rows and heads at any stride, so that a slice of a fused (N, 3, H, D) needs no copy.
 * @param k (Nk, H, D)
 * @param v (Nk, H, D)
 * @returns (Nq, H, D) of q's dtype; zeros for a query that sees no key.
 * @throws {ShapeError} if shapes differ or offsets do not cover the rows.
 * @throws {IndexError} at the next wait, if a position is negative or 2^20 and above.
 * @see Dao 2023, FlashAttention-2. https://arxiv.org/abs/2307.08691
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  return fusedAttention(q, k, v, options.biasTable ?? null, options.biasDense ?? null, options)
}

const fusedAttention = differentiable('attention', {
  forward(
    ctx,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    biasTable: Tensor | null,
    biasDense: Tensor | null,
    options: AttentionOptions,
  ) {
    const offsets = offsetsOf(q, k, options)
    const { cuSeqlensQ, cuSeqlensK } = offsets
    const positionsQ = options.positions ?? null
    const positionsK = options.keyPositions ?? null
    const attrs = attrsOf(options)
    const { o, lse } = native.attentionFwd(
      q,
      k,
      v,
      cuSeqlensQ,
      cuSeqlensK,
      positionsQ,
      positionsK,
      biasTable,
      biasDense,
      attrs,
    )
    // The scores are computed anew from q and k; lse, one number a row, turns them into probabilities.
    ctx.save({ q, k, v, cuSeqlensQ, cuSeqlensK, positionsQ, positionsK, biasTable, biasDense, o, lse })
    ctx.remember({ attrs })
    lse.dispose()
    for (const tensor of offsets.own) tensor.dispose()
    return o
  },
  backward(ctx: Context, dO) {
    const { q, k, v, cuSeqlensQ, cuSeqlensK, o, lse } = ctx.saved as Record<string, Tensor>
    const { dQ, dK, dV, dBiasTable, dBiasDense } = native.attentionBwd(
      q!,
      k!,
      v!,
      cuSeqlensQ!,
      cuSeqlensK!,
      ctx.savedOrNull('positionsQ'),
      ctx.savedOrNull('positionsK'),
      ctx.savedOrNull('biasTable'),
      ctx.savedOrNull('biasDense'),
      o!,
      lse!,
      dO,
      { ...(ctx.remembered.attrs as Attrs), wantTable: ctx.needs(3), wantDense: ctx.needs(4) },
    )
    return [dQ, dK, dV, dBiasTable, dBiasDense]
  },
})

type Attrs = ReturnType<typeof attrsOf>

function attrsOf(options: AttentionOptions) {
  const { scale = 1, causal = false, bidirectional = true, maxDistance = 128 } = options
  const { dropoutP = 0, seed = 0, site = 0, step = 0 } = options
  return { scale, causal, bidirectional, maxDistance, dropoutP, seed, site, step }
}

/** The two offset tensors, and which of them were made here for want of given ones. */
function offsetsOf(q: Tensor, k: Tensor, options: AttentionOptions) {
  const own: Tensor[] = []
  const whole = (rows: Tensor) => {
    const tensor = Tensor.fromWithHostCopy(Int32Array.of(0, rows.shape[0] ?? 0))
    own.push(tensor)
    return tensor
  }
  const cuSeqlensQ = options.cuSeqlens ?? whole(q)
  const cuSeqlensK = options.keyCuSeqlens ?? options.cuSeqlens ?? whole(k)
  return { cuSeqlensQ, cuSeqlensK, own }
}
