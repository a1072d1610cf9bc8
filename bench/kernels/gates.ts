// What kernels of sm_80 are held to: counts that need no GPU. A gate that is missed has its reason in bench/README.md.
import type { LoopCounts } from './sass.ts'

export type KernelClass = 'gemm' | 'attentionFwd' | 'attentionBwd' | 'bandwidth' | 'other'

/** One kernel, whatever is known of it. */
export interface Measured {
  readonly kernel: string
  readonly spillBytes: number
  readonly registers: number
  readonly threads: number | null
  readonly blocksPerMultiprocessor: number | null
  /** From machine code, by variant of the hot loop; empty for kernels without tensor instructions or without cuobjdump. */
  readonly loops: readonly { readonly variant: string; readonly counts: LoopCounts; readonly utilisation: number }[]
  readonly simulated: {
    /** Of 100 requests to shared memory. */
    readonly bankConflicts: number
    readonly sectorsPerRequest: number
    readonly idealSectorsPerRequest: number
    /** Of requests of 16 bytes a lane: sectors over the fewest that could hold them. */
    readonly wideSectorsOverIdeal: number
    /** Bytes asked of memory over distinct bytes. */
    readonly askedOverTouched: number
    readonly wideShare: number
    readonly hotShare: number
    /** Bytes that all launches of the op touch over its operands, once each. */
    readonly touchedOverOperands: number
  } | null
}

export interface Verdict {
  readonly kernel: string
  readonly gate: string
  readonly value: number
  readonly limit: string
  readonly meets: boolean
}

/** Kernels that search, sort, draw, finish sums in one block, or do arithmetic on every element many times. */
const others = new RegExp(
  [
    '^(argmax|topK|sample|gumbel|beamCandidates|warpLogits|penalize|ban|bias|allow|force|boost|mark|copyUnmarked)',
    '^(attention(Decode|BwdDense|Dots|Positions|Quads|Window|TableSums)|kvCacheAppend|gemm_(f32|tf32))',
    '^(columnSums|scale_|(bce|loss)S(um|cale)|optimizerPrepare|globalNorm|adafactor(RowFactors|Rates))',
    '^(scatter(Keys|Count|Scan|Move)|replacementLabels|writeReplacements)',
    'Exact|Strided',
  ].join('|'),
)

/** A kernel of no class known here is taken for one that memory bounds. */
export function classOf(kernel: string): KernelClass {
  if (/^gemm(Wide|Standard|Small)/.test(kernel)) return 'gemm'
  if (/^attentionFwd(?!Exact)/.test(kernel)) return 'attentionFwd'
  if (/^attentionBwd(Keys|Queries)(?!Exact)/.test(kernel)) return 'attentionBwd'
  return others.test(kernel) ? 'other' : 'bandwidth'
}

/** Instructions per HMMA. */
function mostInstructions(kernel: string, variant: string): number {
  switch (classOf(kernel)) {
    case 'gemm':
      return 2.2
    case 'attentionFwd':
      return kernel.includes('Dropout') ? 6.9 : kernel.includes('Bias') ? 5.4 : 5.1
    default:
      return variant === 'dBias' ? 4.3 : 3.7
  }
}
const perClass = {
  gemm: { stall: 8.1, ldsm: 0.25, hot: 0.85, utilisation: 0.83, registers: 248, bytes: 1.05 },
  attentionFwd: { stall: 11.5, ldsm: 0.32, hot: 0.7, utilisation: 0.65, registers: 255, bytes: 1.05 },
  attentionBwd: { stall: 13, ldsm: 0.45, hot: 0.75, utilisation: 0.6, registers: 255, bytes: 1.3 },
} as const

/** The gates that apply to a kernel, in the order of gpu-kernels §3.6. */
export function verdictsOf(measured: Measured): Verdict[] {
  const { kernel, simulated } = measured
  const verdicts: Verdict[] = []
  const atMost = (gate: string, value: number, limit: number) =>
    verdicts.push({ kernel, gate, value, limit: `≤ ${limit}`, meets: value <= limit + 1e-9 })
  const atLeast = (gate: string, value: number, limit: number) =>
    verdicts.push({ kernel, gate, value, limit: `≥ ${limit}`, meets: value >= limit - 1e-9 })

  atMost('spilt bytes', measured.spillBytes, 0)
  const kind = classOf(kernel)
  if (kind === 'bandwidth' && simulated) {
    atMost('touched bytes of the op / operands', simulated.touchedOverOperands, 1.02)
    atLeast('share of 16-byte requests', simulated.wideShare, 0.95)
  }
  if (kind === 'bandwidth' || kind === 'other') return verdicts

  const limits = perClass[kind]
  atMost('registers', measured.registers, limits.registers)
  if (kind === 'attentionFwd' && measured.blocksPerMultiprocessor !== null) {
    atLeast('blocks a multiprocessor', measured.blocksPerMultiprocessor, 2)
  }
  for (const { variant, counts, utilisation } of measured.loops) {
    const named = (gate: string) => (variant ? `${gate}, ${variant}` : gate)
    const perTensor = (count: number) => count / counts.hmma
    atMost(named('local accesses in the loop'), counts.local, 0)
    atMost(named('instructions / HMMA'), perTensor(counts.instructions), mostInstructions(kernel, variant))
    atMost(named('stall / HMMA'), perTensor(counts.stall), limits.stall)
    atMost(named('LDSM / HMMA'), perTensor(counts.ldsm), limits.ldsm)
    atLeast(named('modelled use of tensor cores'), utilisation, limits.utilisation)
  }
  if (simulated) {
    atMost('bank conflicts / 100 requests', simulated.bankConflicts, 0)
    atLeast('share of instructions in the loop', simulated.hotShare, limits.hot)
    atMost('sectors / fewest of 16-byte requests', simulated.wideSectorsOverIdeal, 1)
    atMost('touched bytes of the op / operands', simulated.touchedOverOperands, limits.bytes)
  }
  return verdicts
}
