// What each kernel is run with to be counted: shapes of the models, a few blocks of each, through the library's own
// launchers. Every kernel that the addon embeds must be reached by one of them; the bench says which is not.
import { type DType, ops, Tensor } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'
import { randomOf } from '../../test/harness.ts'

export interface Work {
  readonly name: string
  /** Makes the operands; the call that comes back is what is counted. */
  prepare(): () => unknown
  /** Whether float32 products may round to tf32. */
  readonly tf32?: true
}

/** A call on operands that are made before. */
const on =
  <Operands extends Tensor[]>(make: () => [...Operands], call: (...operands: Operands) => unknown): Work['prepare'] =>
  () => {
    const operands = make()
    return () => call(...operands)
  }

type Shape = readonly number[]
type FloatDType = 'float32' | 'float16' | 'bfloat16'

const random = randomOf(1)
const floatDTypes = ['float32', 'float16', 'bfloat16'] as const
const sixteenBit = ['float16', 'bfloat16'] as const

function float(shape: Shape, dtype: DType = 'float32', scale = 1): Tensor {
  const count = shape.reduce((product, n) => product * n, 1)
  return Tensor.from(
    Float32Array.from({ length: count }, () => random.normal() * scale),
    { shape, dtype },
  )
}

function integers(shape: Shape, below: number, dtype: 'int32' | 'uint8' = 'int32'): Tensor {
  const count = shape.reduce((product, n) => product * n, 1)
  return Tensor.from(
    Int32Array.from({ length: count }, () => random.integer(below)),
    { shape, dtype },
  )
}

const range = (n: number) => Tensor.from(Int32Array.from({ length: n }, (_, i) => i))
const offsets = (...of: number[]) => Tensor.fromWithHostCopy(Int32Array.from(of))
/** Rows with a gap after each: no longer dense. */
function gapped(shape: readonly [number, number], dtype: DType): Tensor {
  const [rows, columns] = shape
  return float([rows, columns + 8], dtype).view(shape, [columns + 8, 1], 0)
}

const dropout = { dropoutP: 0.1, seed: 1, site: 2, step: 3 }
/** Tokens and model width of element-wise work and norms. */
const rows = [256, 768] as const
const vocabulary = 32128

const elementwise = (dtype: FloatDType): Work[] => [
  {
    name: 'add',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (a, b) => native.binary(a, b, { op: 'add' }),
    ),
  },
  {
    name: 'add of a row',
    prepare: on(
      () => [float(rows, dtype), float([768], dtype)],
      (a, b) => native.binary(a, b, { op: 'add' }),
    ),
  },
  {
    name: 'affine',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.affine(x, { scale: 2, shift: 1 }),
    ),
  },
  {
    name: 'accumulate',
    prepare: on(
      () => [float(rows), float(rows, dtype)],
      (x, y) => native.accumulate(x, y),
    ),
  },
  {
    name: 'accumulate, rows apart',
    prepare: on(
      () => [float(rows), gapped(rows, dtype)],
      (x, y) => native.accumulate(x, y),
    ),
  },
  {
    name: 'gelu',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.unary(x, { kind: 'geluErf' }),
    ),
  },
  {
    name: 'gelu, backward',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (x, d) => native.unaryBwd(x, d, { kind: 'geluErf' }),
    ),
  },
  {
    name: 'gated gelu',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (x, y) => native.gated(x, y, { kind: 'geluTanh' }),
    ),
  },
  {
    name: 'gated gelu, backward',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype), float(rows, dtype)],
      (x, y, d) => native.gatedBwd(x, y, d, { kind: 'geluTanh' }),
    ),
  },
  {
    name: 'dropout',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.dropout(x, dropout),
    ),
  },
  {
    name: 'softmax',
    prepare: on(
      () => [float(rows, dtype)],
      (x) => native.softmax(x),
    ),
  },
  {
    name: 'softmax, backward',
    prepare: on(
      () => [float(rows, dtype), float(rows, dtype)],
      (y, d) => native.softmaxBwd(y, d),
    ),
  },
]

/** More of them than blocks that run at the same time. */
const normRows = [3456, 768] as const
const norms = (dtype: FloatDType): Work[] => [
  {
    name: 'RMSNorm',
    prepare: on(
      () => [float(normRows, dtype), float([768], dtype)],
      (x, weight) => native.rmsNorm(x, null, weight, { eps: 1e-6 }),
    ),
  },
  {
    name: 'LayerNorm of residual + dropout',
    prepare: on(
      () => [float(normRows, dtype), float(normRows, dtype), float([768], dtype), float([768], dtype)],
      (x, residual, weight, bias) => native.layerNorm(x, residual, weight, bias, { eps: 1e-12, ...dropout }),
    ),
  },
  {
    name: 'RMSNorm, backward',
    prepare: on(
      () => [float(normRows, dtype), float([768], dtype), float([normRows[0]]), float(normRows, dtype)],
      (h, weight, rstd, dY) => native.rmsNormBwd(h, weight, rstd, dY, null),
    ),
  },
  {
    name: 'LayerNorm, backward',
    prepare: on(
      () => [
        float(normRows, dtype),
        float([768], dtype),
        float([normRows[0]]),
        float([normRows[0]]),
        float(normRows, dtype),
      ],
      (h, weight, mean, rstd, dY) => native.layerNormBwd(h, weight, mean, rstd, dY, null),
    ),
  },
]

const storageTypes = ['float32', 'float16', 'bfloat16', 'int32', 'uint8', 'int8'] as const
const casts: Work[] = storageTypes.flatMap((from) =>
  storageTypes.map(
    (to): Work => ({
      name: `${from} to ${to}`,
      prepare: () => {
        const x = Tensor.full(rows, 1, { dtype: from })
        // The same type, dense, is a copy of the driver's; transposed it is a kernel's.
        const view = from === to ? x.view([768, 256], [1, 768], 0) : x
        return () => native.cast(view, { dtype: to })
      },
    }),
  ),
)
const fills: Work[] = (['float32', 'bfloat16', 'uint8'] as const).map((dtype) => ({
  name: `fill ${dtype}`,
  prepare: on(
    () => [Tensor.empty(rows, { dtype })],
    (x) => native.fill(x, { value: 1 }),
  ),
}))

/** Products that the planner gives to each tile: enough blocks for it to be the fastest of 108 multiprocessors. */
const tiles = { Wide: [1408, 1280], Standard: [1408, 640], Small: [320, 256] } as const

const products = (dtype: FloatDType): Work[] =>
  Object.entries(tiles).flatMap(([tile, [m, n]]) =>
    (['NN', 'NT', 'TN', 'TT'] as const).map(
      (layout): Work => ({
        name: `${tile} ${m} × ${n} × 512 ${layout}`,
        prepare: () => {
          const k = 512
          const lines = (r: number, c: number, transposed: boolean) =>
            transposed ? float([c, r], dtype).view([r, c], [1, r], 0) : float([r, c], dtype)
          const [a, b] = [lines(m, k, layout[0] === 'T'), lines(k, n, layout[1] === 'T')]
          return () => native.gemm(a, b, null, null, null, null, null)
        },
      }),
    ),
  )

const gemm = (dtype: FloatDType): Work[] => [
  {
    name: '64 × 64 × 8192, in ranges of k',
    prepare: on(
      () => [float([64, 8192], dtype), float([8192, 64], dtype)],
      (a, b) => native.gemm(a, b, null, null, null, null, null),
    ),
  },
  {
    name: 'product, backward of bias, gelu and dropout',
    prepare: on(
      () => [float([256, 1024], dtype), float([256, 1024], dtype)],
      (dy, z) => native.gemmEpilogueBwd(dy, z, null, { biasGrad: true, act: 'geluTanh', ...dropout }),
    ),
  },
]

const exactProducts: Work[] = [
  ...[{}, { tf32: true as const }].map(
    (precision): Work => ({
      name: '256 × 256 × 512',
      ...precision,
      prepare: on(
        () => [float([256, 512]), float([512, 256])],
        (a, b) => native.gemm(a, b, null, null, null, null, null),
      ),
    }),
  ),
  {
    name: 'odd rows of 16 bits',
    prepare: on(
      () => [float([128, 99], 'bfloat16'), float([99, 128], 'bfloat16')],
      (a, b) => native.gemm(a, b, null, null, null, null, null),
    ),
  },
]

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

const tensorAttention = (dtype: FloatDType): Work[] =>
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
const exactAttention = (dtype: FloatDType): Work[] =>
  (dtype === 'float32' ? [64, 128] : [192]).flatMap((size) => {
    const mode: Attention = { name: 'attention', size, length: 128, table: true, positions: true }
    return [attentionForward(mode, dtype), attentionBackward({ ...mode, dense: true }, dtype)]
  })
/** Rows that do not begin at multiples of 16 bytes are copied first. */
const unalignedAttention = (dtype: FloatDType): Work => ({
  name: 'attention, unaligned, 64 × 60',
  prepare: () => {
    const { q, k, v, cu, attrs } = attentionInputs({ name: '', size: 60, length: 64 }, dtype)
    return () => native.attentionFwd(q, k, v, cu, cu, null, null, null, null, attrs)
  },
})

const decoding = (dtype: FloatDType): Work[] => {
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

const logits = () => float([8, vocabulary], 'float32', 3)
const streams = { seed: 1, site: 2, step: 3 }
const sampling: Work[] = [
  {
    name: 'argmax',
    prepare: on(
      () => [logits()],
      (x) => native.argmax(x),
    ),
  },
  {
    name: 'top 8',
    prepare: on(
      () => [logits()],
      (x) => native.topK(x, { k: 8 }),
    ),
  },
  {
    name: 'sample',
    prepare: on(
      () => [logits()],
      (x) => native.sampleCategorical(x, null, streams),
    ),
  },
  {
    name: 'candidates of 4 beams',
    prepare: on(
      () => [logits(), float([2, 4])],
      (x, scores) => native.beamCandidates(x, scores, { k: 8 }),
    ),
  },
  {
    name: 'sampled candidates of 4 beams',
    prepare: on(
      () => [logits(), float([2, 4])],
      (x, scores) => native.sampleCandidates(x, scores, null, { k: 8, ...streams }),
    ),
  },
  {
    name: 'top p',
    prepare: on(
      () => [logits()],
      (x) => native.warpLogits(x, { rule: 'topP', value: 0.9 }),
    ),
  },
  {
    name: 'repetition',
    prepare: on(
      () => [logits(), integers([8, 64], vocabulary)],
      (x, ids) => native.penalizeRepetition(x, ids, null, { penalty: 1.2 }),
    ),
  },
  {
    name: 'n-grams',
    prepare: on(
      () => [logits(), integers([8, 64], 3)],
      (x, ids) => native.banRepeatedNgrams(x, ids, null, null, null, { n: 3 }),
    ),
  },
  {
    name: 'banned tokens',
    prepare: on(
      () => [logits(), integers([64], vocabulary)],
      (x, ids) => native.banTokens(x, ids),
    ),
  },
  {
    name: 'tokens with a bias',
    prepare: on(
      () => [logits(), integers([64], 8), integers([64], vocabulary), float([64])],
      (x, of, ids, bias) => native.biasTokens(x, of, ids, bias),
    ),
  },
  {
    name: 'allowed tokens',
    prepare: on(
      () => [logits(), integers([64], 8), integers([64], vocabulary)],
      (x, of, ids) => native.allowTokens(x, of, ids),
    ),
  },
  {
    name: 'forced tokens',
    prepare: on(
      () => [logits(), range(4), integers([4], vocabulary)],
      (x, of, ids) => native.forceTokens(x, of, ids),
    ),
  },
  {
    name: 'boosted tokens',
    prepare: on(
      () => [logits(), integers([64], 8), integers([64], vocabulary), float([64])],
      (x, of, ids, factors) => native.boostTokens(x, of, ids, factors),
    ),
  },
  {
    name: 'finite logits',
    prepare: on(
      () => [logits()],
      (x) => native.replaceNonFinite(x),
    ),
  },
]

const named =
  (dtype: DType) =>
  (work: Work): Work => ({ ...work, name: `${work.name} (${dtype})` })

/** A kernel is measured by the first that reaches it. */
export const works: readonly Work[] = [
  ...floatDTypes.flatMap((dtype) =>
    [...elementwise(dtype), ...norms(dtype), ...exactAttention(dtype), ...decoding(dtype)].map(named(dtype)),
  ),
  ...sixteenBit.flatMap((dtype) =>
    [...products(dtype), ...tensorAttention(dtype), unalignedAttention(dtype)].map(named(dtype)),
  ),
  ...exactProducts,
  ...floatDTypes.flatMap((dtype) => gemm(dtype).map(named(dtype))),
  {
    name: 'scale',
    prepare: on(
      () => [float(rows), float([])],
      (x, by) => native.scale(x, by),
    ),
  },
  ...casts,
  ...fills,
  ...sampling,
]
