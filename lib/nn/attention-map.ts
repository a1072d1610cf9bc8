import { noGrad } from '../autograd/grad-mode.ts'
import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import type { KeysAndValues, PositionBias } from './attention.ts'
import type { PackedRows } from './packed-rows.ts'
import { positionBias } from './relative-position.ts'

export interface AttentionMapOptions {
  /** Those of the queries. */
  readonly rows: PackedRows
  readonly scale: number
  readonly causal: boolean
  readonly bias: PositionBias | null
}

/**
 * The softmax probabilities that attention computes without holding them: for looking at, without gradient and dropout.
 *
 * @param q (Nq, H, D).
 * @returns (B, H, Tq, Tk) by place in the padded surface; zeros for queries without a row or without a key.
 */
export function attentionMap(
  q: Tensor,
  keys: KeysAndValues,
  { rows, scale, causal, bias }: AttentionMapOptions,
): Tensor {
  return noGrad(() => {
    const Tq = rows.packing.maxLength
    const Tk = keys.rows.packing.maxLength
    const keyIndex = keys.rows.keysOf(keys.rows.tensors.index)
    const queries = byHead(ops.cast(q, 'float32'), rows.tensors.index, rows.packing.batch, Tq)
    const keysByHead = byHead(ops.cast(keys.k, 'float32'), keyIndex, rows.packing.batch, Tk)
    let scores = ops.gemm(queries, keysByHead, { transposeB: true, alpha: scale })
    if (bias) scores = ops.add(scores, positionBias(bias.table, Tq, Tk, bias.rule))
    return ops.softmax(ops.add(scores, hiddenKeys(rows, keys.rows, causal)))
  })
}

/** Packed (N, H, D) as (B, H, T, D), zeros where there is no row. */
function byHead(x: Tensor, index: Tensor, batch: number, length: number): Tensor {
  const [, H, D] = x.shape as [number, number, number]
  const padded = ops.reshape(ops.scatterRows(ops.contiguous(x), index, batch * length), [batch, length, H, D])
  return ops.contiguous(ops.permute(padded, [0, 2, 1, 3]))
}

/** (B, 1, Tq, Tk): 0 where a query sees a key, −∞ elsewhere. */
function hiddenKeys(queries: PackedRows, keys: PackedRows, causal: boolean): Tensor {
  const { batch, maxLength: Tq, index } = queries.packing
  const Tk = keys.packing.maxLength
  const isKey = new Uint8Array(batch * Tk)
  const { keyRows } = keys.packing
  for (const row of keyRows ?? keys.packing.index.keys()) isKey[keys.packing.index[row] as number] = 1
  const mask = new Float32Array(batch * Tq * Tk).fill(-Infinity)
  for (const at of index) {
    const b = Math.floor(at / Tq)
    const last = causal ? at % Tq : Tk - 1
    for (let j = 0; j <= last; j++) if (isKey[b * Tk + j]) mask[at * Tk + j] = 0
  }
  return Tensor.from(mask, { shape: [batch, 1, Tq, Tk] })
}
