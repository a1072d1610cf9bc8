// npm run bench -- profile: what each op of a work takes, beside the two floors that this machine sets it: its arithmetic at the
// rate of multiply-adds on registers, its operands at the rate of copying memory.
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { device, type OpCounter, runtimeInfo, setThreads } from '../../lib/index.ts'
import { works } from './works.ts'

interface Peaks {
  /** Of multiply-adds, a second. */
  readonly flops: number
  /** Read and written, a second. */
  readonly bytes: number
}

/** Compiled on the fly; null, with the reason printed, where there is no compiler. */
function peaksOf(threads: number): Peaks | null {
  const program = join(mkdtempSync(join(tmpdir(), 'duoformer-')), 'peaks')
  const source = fileURLToPath(new URL('peaks.c', import.meta.url))
  const { isa } = runtimeInfo()
  const flags: Record<string, string[]> = {
    avx512: ['-DVECTOR_BYTES=64', '-mavx512f', '-mfma'],
    avx2: ['-DVECTOR_BYTES=32', '-mavx2', '-mfma'],
  }
  try {
    const options = ['-O3', '-ffp-contract=fast', ...(flags[isa] ?? ['-DVECTOR_BYTES=16'])]
    execFileSync('cc', [...options, source, '-o', program, '-lpthread'], { stdio: 'ignore' })
  } catch {
    console.log('skipped: the floors (cc did not compile bench/profile/peaks.c)')
    return null
  }
  const [flops, bytes] = execFileSync(program, [String(threads)], { encoding: 'utf8' })
    .split(' ')
    .map(Number)
  return { flops: (flops as number) * 1e9, bytes: (bytes as number) * 1e9 }
}

export async function benchProfile({ threads, only }: { threads: readonly number[]; only: string }): Promise<void> {
  for (const count of threads) {
    setThreads(count)
    const peaks = peaksOf(count)
    console.log(`\n${count} thread${count > 1 ? 's' : ''}`)
    if (peaks) {
      const [flops, bytes] = [peaks.flops / 1e9, peaks.bytes / 1e9].map((rate) => rate.toFixed(1))
      console.log(`multiply-adds ${flops} GFLOP/s, copying ${bytes} GB/s`)
    }
    for (const [name, make] of Object.entries(works)) if (name.includes(only)) await profile(name, make, peaks)
  }
}

const runs = 5

async function profile(name: string, make: () => Disposable & { run(): Promise<unknown> }, peaks: Peaks | null) {
  using work = make()
  for (let i = 0; i < 2; i++) await work.run()
  await device().synchronize()
  device().resetCounters()
  const start = performance.now()
  for (let i = 0; i < runs; i++) await work.run()
  await device().synchronize()
  const ms = (performance.now() - start) / runs
  const ops = Object.entries(device().counters()).sort(([, a], [, b]) => b.seconds - a.seconds)
  const busy = ops.reduce((sum, [, op]) => sum + op.seconds, 0) / runs
  console.log(`\n${name}: ${ms.toFixed(2)} ms, of which ops ${(1000 * busy).toFixed(2)} ms`)
  console.log('  op                       calls        ms  share   GFLOP/s   of peak      GB/s   of peak  of floor')
  for (const [op, counter] of ops) console.log(line(op, counter, busy, peaks))
}

/** Of floor: the larger of the two times that the peaks set it, over what it took. */
function line(name: string, { calls, flops, bytes, seconds }: OpCounter, busy: number, peaks: Peaks | null): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`
  const floor = peaks ? Math.max(flops / peaks.flops, bytes / peaks.bytes) / seconds : 0
  const cells = [
    [String(Math.round(calls / runs)), 6],
    [((1000 * seconds) / runs).toFixed(3), 10],
    [percent(seconds / runs / busy), 7],
    [(flops / seconds / 1e9).toFixed(1), 10],
    [peaks ? percent(flops / seconds / peaks.flops) : '', 10],
    [(bytes / seconds / 1e9).toFixed(1), 10],
    [peaks ? percent(bytes / seconds / peaks.bytes) : '', 10],
    [peaks ? percent(floor) : '', 10],
  ] as const
  return `  ${name.padEnd(24)}${cells.map(([text, width]) => text.padStart(width)).join('')}`
}
