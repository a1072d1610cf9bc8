// Attention of two sequences and one head, and decoding.
import { ops, Tensor } from '../../../lib/index.ts'
import { native } from '../../../lib/tensor.ts'
import { dropout, type FloatDType, float, offsets, type Work } from './work.ts'

interface Attention {
  readonly name: string
  readonly size: number
  readonly length?: number
  readonly table?: true
  readonly dropoutP?: number
  readonly positions?: true
  readonly dense?: true
}

/** Two sequences, one head. */
const heads = 1
function attentionInputs({ size, length = 512, table, positions, dense, dropoutP = 0 }: Attention, dtype: FloatDType) {
  const make = () => float([2 * length, heads, size], dtype, 0.3)
  const cu = offsets(0, length, 2 * length)
  return {
    q: make(),
    k: make(),
    v: make(),
    cu,
    positions: positions ? Tensor.from(Int32Array.from({ length: 2 * length }, (_, i) => i % length)) : null,
    table: table ? float([32, heads], dtype) : null,
    dense: dense ? float([1, heads, length, length], dtype) : null,
    attrs: { scale: table ? 1 : 1 / Math.sqrt(size), ...dropout, dropoutP },
    make,
  }
}

const attentionForward = (attention: Attention, dtype: FloatDType): Work => ({
  name: `${attention.name}, ${attention.length ?? 512} × ${attention.size}`,
  prepare: () => {
    const { q, k, v, cu, positions, table, dense, attrs } = attentionInputs(attention, dtype)
    return () => native.attentionFwd(q, k, v, cu, cu, positions, positions, table, dense, attrs)
  },
})
const attentionBackward = (attention: Attention, dtype: FloatDType): Work => ({
  name: `${attention.name}, ${attention.length ?? 512} × ${attention.size}, backward`,
  prepare: () => {
    const { q, k, v, cu, positions, table, dense, attrs, make } = attentionInputs(attention, dtype)
    const { o, lse } = native.attentionFwd(q, k, v, cu, cu, positions, positions, table, dense, attrs)
    const dO = make()
    const wants = { wantTable: table !== null, wantDense: dense !== null }
    return () =>
      native.attentionBwd(q, k, v, cu, cu, positions, positions, table, dense, o, lse, dO, { ...attrs, ...wants })
  },
})

export const tensorAttention = (dtype: FloatDType): Work[] =>
  [64, 128].flatMap((size) => {
    const modes: Attention[] = [
      { name: 'attention', size },
      { name: 'attention, dropout', size, dropoutP: 0.1 },
      { name: 'attention, table', size, table: true },
      { name: 'attention, table, dropout', size, table: true, dropoutP: 0.1 },
      { name: 'attention, dense bias', size, length: 256, dense: true },
    ]
    return modes.flatMap((mode) => [attentionForward(mode, dtype), attentionBackward(mode, dtype)])
  })
/** Float32, and rows that the tensor kernels do not take. */
export const exactAttention = (dtype: FloatDType): Work[] =>
  (dtype === 'float32' ? [64, 128] : [192]).flatMap((size) => {
    const mode: Attention = { name: 'attention', size, length: 128, table: true, positions: true }
    return [attentionForward(mode, dtype), attentionBackward({ ...mode, dense: true }, dtype)]
  })
/** Rows that do not begin at multiples of 16 bytes are copied first. */
export const unalignedAttention = (dtype: FloatDType): Work => ({
  name: 'attention, unaligned, 64 × 60',
  prepare: () => {
    const { q, k, v, cu, attrs } = attentionInputs({ name: '', size: 60, length: 64 }, dtype)
    return () => native.attentionFwd(q, k, v, cu, cu, null, null, null, null, attrs)
  },
})

export const decoding = (dtype: FloatDType): Work[] => {
  const [slots, heads, most, size] = [4, 8, 640, 64]
  const ofRows = () => ops.cacheRows([0, 1, 2, 3], [512, 512, 512, 512])
  const caches = () => [float([slots, heads, most, size]), float([slots, heads, most, size])] as const
  return [
    {
      name: 'decode, 4 × 512 keys',
      prepare: () => {
        const [cacheK, cacheV] = caches()
        const { cuSeqlens, slots: of, lengths } = ofRows()
        const [q, table] = [float([slots, heads, size], dtype), float([32, heads], dtype)]
        return () => native.attentionDecode(q, cacheK, cacheV, cuSeqlens, of, lengths, null, table, { causal: true })
      },
    },
    {
      name: 'append to the cache',
      prepare: () => {
        const [cacheK, cacheV] = caches()
        const { cuSeqlens, slots: of, lengths } = ofRows()
        const [k, v] = [float([slots, heads, size], dtype), float([slots, heads, size], dtype)]
        return () => native.kvCacheAppend(cacheK, cacheV, k, v, cuSeqlens, of, lengths)
      },
    },
  ]
}
