// Machine code as `cuobjdump -sass` prints it: instructions with their control words, and the hot loop of tensor kernels.
import { spawnSync } from 'node:child_process'

export interface SassInstruction {
  readonly at: number
  /** With its guard, as printed. */
  readonly text: string
  readonly opcode: string
  /** Cycles that its warp waits before the next instruction. */
  readonly stall: number
  /** Scoreboards that it sets when its result is there and when its operands were read, 7: none; and those it waits for. */
  readonly writeBarrier: number
  readonly readBarrier: number
  readonly waitMask: number
}

/** @returns by kernel, in order of addresses. */
export function parseSass(text: string): Map<string, SassInstruction[]> {
  const kernels = new Map<string, SassInstruction[]>()
  let current: SassInstruction[] = []
  let pending: { at: number; text: string } | undefined
  for (const line of text.split('\n')) {
    const name = /^\s*Function : (\S+)/.exec(line)
    if (name) {
      current = []
      kernels.set(name[1] as string, current)
      continue
    }
    const instruction = /^\s+\/\*([0-9a-f]{4,})\*\/\s+(.*?)\s*;\s+\/\* 0x[0-9a-f]{16} \*\//.exec(line)
    if (instruction) {
      pending = { at: Number.parseInt(instruction[1] as string, 16), text: instruction[2] as string }
      continue
    }
    const second = /^\s+\/\* 0x([0-9a-f]{16}) \*\//.exec(line)
    if (!second || !pending) continue
    // Control bits begin at bit 41 of the second word: stall 4, yield 1, write 3 and read barrier 3, wait mask 6, reuse 4.
    const control = Number((BigInt(`0x${second[1]}`) >> 41n) & 0x1fffffn)
    current.push({
      ...pending,
      opcode: opcodeOf(pending.text),
      stall: control & 15,
      writeBarrier: (control >> 5) & 7,
      readBarrier: (control >> 8) & 7,
      waitMask: (control >> 11) & 63,
    })
    pending = undefined
  }
  return kernels
}

/** Runs cuobjdump; it looks for nvdisasm on the PATH. */
export function disassemble(cuobjdump: string, cubin: string): Map<string, SassInstruction[]> {
  const folder = cuobjdump.includes('/') ? cuobjdump.slice(0, cuobjdump.lastIndexOf('/')) : ''
  const path = folder ? `${folder}:${process.env.PATH ?? ''}` : process.env.PATH
  const result = spawnSync(cuobjdump, ['-sass', cubin], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    env: { ...process.env, PATH: path },
  })
  if (result.error) throw new Error(`cuobjdump: expected to run ${cuobjdump}, got ${result.error.message}`)
  if (result.status !== 0) throw new Error(`cuobjdump: expected machine code of ${cubin}, got: ${result.stderr.trim()}`)
  return parseSass(result.stdout)
}

function opcodeOf(text: string): string {
  return text.replace(/^@!?U?P\w+\s+/, '').split(/[\s;]/)[0] as string
}

const isTensor = (i: SassInstruction) => /^[HI]MMA/.test(i.opcode)

/** Where a branch goes, or undefined. Loops are also left by calls that do not return. */
function targetOf(i: SassInstruction): number | undefined {
  if (!/^(BRA|CALL\.REL)/.test(i.opcode)) return undefined
  const target = /0x([0-9a-f]+)/.exec(i.text)
  return target ? Number.parseInt(target[1] as string, 16) : undefined
}

interface Loop {
  readonly begin: number
  readonly end: number
}

const encloses = (outer: Loop, inner: Loop) => outer.begin <= inner.begin && outer.end >= inner.end

/**
 * The instructions of one turn of the loop over tiles, which is the innermost loop with the most tensor instructions or the
 * one around it that has a barrier. Along the path that has most tensor instructions, then most copies of the next tile
 * and most that `through` names, and is else the shortest: what an interior tile runs, which skips masks.
 *
 * @param turns of the innermost loop in one of the loop over tiles.
 * @returns none where no loop has tensor instructions.
 */
export function hotLoop(
  code: readonly SassInstruction[],
  { turns = 1, through }: { turns?: number; through?: RegExp | undefined } = {},
): SassInstruction[] {
  const indexOf = new Map(code.map((i, index) => [i.at, index]))
  const loops: Loop[] = []
  code.forEach((i, end) => {
    const begin = indexOf.get(targetOf(i) ?? -1)
    if (begin !== undefined && begin < end && code.slice(begin, end).some(isTensor)) loops.push({ begin, end })
  })
  const innermost = loops.filter((loop) => !loops.some((other) => other !== loop && encloses(loop, other)))
  let best: { loop: Loop; path: SassInstruction[] } | undefined
  for (const loop of innermost) {
    const path = pathThrough(code, loop, indexOf, through)
    if (path.filter(isTensor).length > (best?.path.filter(isTensor).length ?? 0)) best = { loop, path }
  }
  if (!best) return []
  const { loop, path } = best
  const hasBarrier = ({ begin, end }: Loop) => code.slice(begin, end).some((i) => i.opcode.startsWith('BAR'))
  const around = loops.filter((outer) => encloses(outer, loop) && hasBarrier(outer))
  const tiles = around.sort((a, b) => a.end - a.begin - (b.end - b.begin))[0]
  if (!tiles || tiles === loop) return path
  const whole = pathThrough(code, tiles, indexOf, through)
  const inner = whole.indexOf(path[0] as SassInstruction)
  return [...whole.slice(0, inner), ...Array.from({ length: turns - 1 }, () => path).flat(), ...whole.slice(inner)]
}

interface Step {
  readonly tensors: number
  readonly wanted: number
  readonly length: number
  /** Index of the next instruction; −1 at the end. */
  readonly next: number
}

/** From `begin` to `end` along forward branches. */
function pathThrough(
  code: readonly SassInstruction[],
  { begin, end }: Loop,
  indexOf: ReadonlyMap<number, number>,
  through?: RegExp,
): SassInstruction[] {
  const steps = new Map<number, Step>([[end, { tensors: 0, wanted: 0, length: 1, next: -1 }]])
  const isBetter = (a: Step, b: Step | undefined) =>
    !b ||
    a.tensors > b.tensors ||
    (a.tensors === b.tensors && (a.wanted > b.wanted || (a.wanted === b.wanted && a.length < b.length)))
  for (let at = end - 1; at >= begin; at--) {
    const i = code[at] as SassInstruction
    const target = targetOf(i)
    const jumps = target === undefined ? undefined : indexOf.get(target)
    const leaves = /^(BRA|EXIT|RET)/.test(i.opcode) && !i.text.startsWith('@') && !/\bU?P\d/.test(i.text)
    const successors = [...(leaves ? [] : [at + 1]), ...(jumps !== undefined && jumps > at ? [jumps] : [])]
    let best: Step | undefined
    for (const next of successors) {
      const rest = steps.get(next)
      if (!rest) continue
      const step = {
        tensors: rest.tensors + Number(isTensor(i)),
        wanted: rest.wanted + Number(/^LDGSTS.*128$/.test(i.opcode) || (through?.test(i.opcode) ?? false)),
        length: rest.length + 1,
        next,
      }
      if (isBetter(step, best)) best = step
    }
    if (best) steps.set(at, best)
  }
  const path: SassInstruction[] = []
  if (!steps.has(begin)) return path
  for (let at = begin; at >= 0; at = (steps.get(at) as Step).next) path.push(code[at] as SassInstruction)
  return path
}

export interface LoopCounts {
  readonly hmma: number
  readonly instructions: number
  /** Sum of the stalls. */
  readonly stall: number
  readonly ldsm: number
  readonly copies: number
  readonly mufu: number
  readonly shared: number
  /** Accesses of local memory, which spills make. */
  readonly local: number
}

export function countLoop(loop: readonly SassInstruction[]): LoopCounts {
  const count = (pattern: RegExp) => loop.filter((i) => pattern.test(i.opcode)).length
  return {
    hmma: count(/^[HI]MMA/),
    instructions: loop.length,
    stall: loop.reduce((sum, i) => sum + i.stall, 0),
    ldsm: count(/^LDSM/),
    copies: count(/^LDGSTS/),
    mufu: count(/^MUFU/),
    shared: count(/^(LDS|STS)(?!M)/),
    local: count(/^(LDL|STL)/),
  }
}
