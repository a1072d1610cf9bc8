// npm run bench -- kernels [--only TEXT]: every CUDA kernel of the build, from what needs no GPU: ptxas's report, machine
// code where cuobjdump is named, and counts of the simulated driver; beside the gates that they are held to.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runtimeInfo } from '../../lib/index.ts'
import { classOf, type Measured, type Verdict, verdictsOf } from './gates.ts'
import { readImages } from './images.ts'
import { blocksPerMultiprocessor, type Resources } from './resources.ts'
import { countLoop, disassemble, hotLoop, type SassInstruction } from './sass.ts'
import { tensorUtilisation } from './scoreboard.ts'
import { type Counted, type SimulatedLaunch, simulateWorks } from './simulate.ts'
import { markdownOf, printReport } from './table.ts'

const root = new URL('../..', import.meta.url).pathname

/** A kernel with all columns of the table. */
export interface Row extends Measured {
  readonly family: string
  readonly resources: Readonly<Record<'sm_80' | 'sm_90', Resources>>
  /** The work that reached it first, and the launch that it is measured by; null: no shape reaches it. */
  readonly work: string | null
  readonly launch: SimulatedLaunch | null
}

export interface Report {
  readonly compiler: string
  readonly machineCode: string
  readonly rows: readonly Row[]
  readonly verdicts: readonly Verdict[]
  readonly unreached: readonly string[]
}

export async function benchKernels(options: { only: string }): Promise<void> {
  const images = readImages(join(root, 'build'))
  const { build } = runtimeInfo().cuda
  if (images.length === 0) {
    console.error(`kernels: expected a build with CUDA kernels, got ${build}`)
    process.exitCode = 1
    return
  }
  const cuobjdump = process.env.DUOFORMER_CUOBJDUMP
  const machineCode = cuobjdump
    ? 'disassembled'
    : 'skipped: instructions and stalls per HMMA, as DUOFORMER_CUOBJDUMP names no cuobjdump'
  console.log(`kernels: ${build}`)
  if (!cuobjdump) console.log(machineCode)

  const counted = simulateWorks(root, options.only)
  const reached = firstLaunches(counted)
  const rows = images.flatMap(({ family, kernels, cubin }): Row[] => {
    const code = cuobjdump ? disassemble(cuobjdump, cubin('sm_80')) : new Map<string, SassInstruction[]>()
    return kernels.map(({ name, resources }) => {
      const found = reached.get(name)
      return {
        family,
        resources,
        work: found?.work.work ?? null,
        launch: found?.launch ?? null,
        ...measure(name, resources, code.get(name), found),
      }
    })
  })
  const report: Report = {
    compiler: build,
    machineCode,
    rows,
    verdicts: rows.flatMap(verdictsOf),
    unreached: rows.filter((row) => !row.launch).map((row) => row.kernel),
  }
  printReport(report)
  if (options.only) {
    console.log('not saved: --only leaves kernels out')
    return
  }
  save(report)
  const broken = report.verdicts.filter((v) => !v.meets && /^(spilt|local|bank)/.test(v.gate))
  for (const { kernel, gate, value } of broken) console.error(`kernels: ${kernel}: expected no ${gate}, got ${value}`)
  if (report.unreached.length > 0) {
    console.error(
      `kernels: expected a work in bench/kernels/works for each, got none for ${report.unreached.join(', ')}`,
    )
  }
  if (broken.length + report.unreached.length > 0) process.exitCode = 1
}

interface Found {
  readonly work: Counted
  readonly launch: SimulatedLaunch
}

/** By kernel: the launch that does the most, of the first work that reaches it. */
function firstLaunches(counted: readonly Counted[]): Map<string, Found> {
  const found = new Map<string, Found>()
  for (const work of counted) {
    for (const launch of work.launches) {
      const known = found.get(launch.kernel)
      if (known && (known.work !== work || known.launch.globalBytes >= launch.globalBytes)) continue
      found.set(launch.kernel, { work, launch })
    }
  }
  return found
}

function measure(
  kernel: string,
  resources: Row['resources'],
  code: readonly SassInstruction[] | undefined,
  found: Found | undefined,
): Measured {
  const threads = found ? found.launch.block.reduce((product, n) => product * n, 1) : null
  const shared = found ? found.launch.staticShared + found.launch.dynamicShared : 0
  const { registers } = resources.sm_80
  const blocks = threads === null ? null : blocksPerMultiprocessor(registers, threads, shared)
  return {
    kernel,
    spillBytes: (['sm_80', 'sm_90'] as const).reduce((sum, sm) => {
      const { spillLoadBytes, spillStoreBytes } = resources[sm]
      return sum + spillLoadBytes + spillStoreBytes
    }, 0),
    registers,
    threads,
    blocksPerMultiprocessor: blocks,
    loops: code ? loopsOf(kernel, code, ((blocks ?? 1) * (threads ?? 128)) / 128) : [],
    simulated: found ? simulatedOf(found) : null,
  }
}

/** The hot loop, and that of attention's gradient of the bias table, which only its stores to shared memory tell apart. */
function loopsOf(kernel: string, code: readonly SassInstruction[], warps: number): Measured['loops'] {
  // Attention's backward takes 64 columns of a tile in two halves, and tf32 16 of k in two steps.
  const turns = /^attentionBwd.*_d64$|^gemm_tf32$/.test(kernel) ? 2 : 1
  const plain = hotLoop(code, { turns })
  if (plain.length === 0) return []
  const loops = [{ variant: '', loop: plain }]
  if (/^attentionBwdQueries(Bias|General)/.test(kernel)) {
    loops.push({ variant: 'dBias', loop: hotLoop(code, { turns, through: /^STS/ }) })
  }
  return loops.map(({ variant, loop }) => ({
    variant,
    counts: countLoop(loop),
    utilisation: tensorUtilisation(loop, Math.max(1, Math.round(warps))),
  }))
}

function simulatedOf({ work, launch: c }: Found): NonNullable<Measured['simulated']> {
  const instructions = c.integer + c.float + c.move + c.control + c.global + c.shared + c.other + c.tensor
  const sectorBytes = 32
  return {
    bankConflicts: c.sharedRequests ? (100 * c.sharedConflicts) / c.sharedRequests : 0,
    sectorsPerRequest: c.globalSectors / c.globalRequests,
    idealSectorsPerRequest: c.idealSectors / c.globalRequests,
    wideSectorsOverIdeal: c.wideRequests ? c.wideSectors / c.wideIdealSectors : 1,
    askedOverTouched: (c.globalSectors * sectorBytes) / c.touchedBytes,
    wideShare: c.wideRequests / c.globalRequests,
    hotShare: c.hotInstructions / instructions,
    touchedOverOperands:
      (work.launches.reduce((sum, launch) => sum + launch.touchedSectors, 0) * sectorBytes) / work.operandBytes,
  }
}

function save(report: Report): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  const folder = join(root, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'kernels.json'), jsonOf(report, commit))
  writeFileSync(join(folder, 'kernels.md'), markdownOf(report, commit))
  console.log('\nsaved: bench/results/kernels.json, bench/results/kernels.md')
}

/** A line for each kernel and each gate that is missed. */
function jsonOf(report: Report, commit: string): string {
  const line = (value: unknown) =>
    JSON.stringify(value, (_, v) => (typeof v === 'number' ? Number(v.toPrecision(4)) : v))
  const rows = report.rows.map(
    ({ kernel, family, resources, work, launch, threads, blocksPerMultiprocessor, ...row }) =>
      line({
        ...{ kernel, family, class: classOf(kernel), resources, dynamicShared: launch?.dynamicShared ?? null },
        ...{ threads, blocksPerMultiprocessor, work, loops: row.loops, simulated: row.simulated },
      }),
  )
  const missed = report.verdicts.filter((v) => !v.meets).map(line)
  const { compiler, machineCode, unreached } = report
  const head = line({ date: new Date().toISOString(), commit, compiler, machineCode, unreached }).slice(0, -1)
  return `${head},\n"kernels":[\n${rows.join(',\n')}\n],\n"missed":[\n${missed.join(',\n')}\n]}\n`
}
