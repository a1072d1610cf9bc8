// Counts of every work on the simulated driver, in a process that loads it instead of a real one.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What test/gpusim writes of a launch; its README says what the counts are. */
export interface SimulatedLaunch {
  readonly kernel: string
  readonly grid: readonly number[]
  readonly block: readonly number[]
  readonly staticShared: number
  readonly dynamicShared: number
  readonly integer: number
  readonly float: number
  readonly move: number
  readonly control: number
  readonly global: number
  readonly shared: number
  readonly other: number
  readonly tensor: number
  readonly hotInstructions: number
  readonly globalRequests: number
  readonly globalSectors: number
  readonly idealSectors: number
  readonly globalBytes: number
  readonly wideRequests: number
  readonly wideLoads: number
  readonly wideSectors: number
  readonly wideIdealSectors: number
  readonly sharedRequests: number
  readonly sharedConflicts: number
  readonly touchedBytes: number
  readonly touchedSectors: number
}

/** A work: the ops that it called, the bytes of all their operands once, and its launches. */
export interface Counted {
  readonly work: string
  readonly ops: readonly string[]
  readonly operandBytes: number
  readonly launches: readonly SimulatedLaunch[]
}

/**
 * @param root the checkout, whose build has the simulated driver.
 * @param only part of the names of works to run; empty: all.
 * @throws {Error} if the driver was not built, or a work failed.
 */
export function simulateWorks(root: string, only: string): Counted[] {
  const driver = join(root, 'build', 'cuda', 'libgpusim.so')
  if (!existsSync(driver)) throw new Error(`kernels: expected the simulated driver at ${driver}, got no file`)
  const folder = mkdtempSync(join(tmpdir(), 'duoformer-kernels-'))
  try {
    const output = join(folder, 'counted.jsonl')
    const child = join(root, 'bench', 'kernels', 'simulate-child.ts')
    const result = spawnSync(process.execPath, ['--import', 'tsx', child, output, only], {
      cwd: root,
      encoding: 'utf8',
      env: {
        ...process.env,
        DUOFORMER_CUDA_DRIVER: driver,
        GPUSIM_ARCH: 'sm_80',
        GPUSIM_COUNT: '1',
        GPUSIM_CHECKS: 'none',
        GPUSIM_LAUNCHES: join(folder, 'launches.jsonl'),
      },
    })
    if (result.status !== 0) throw new Error(`kernels: expected all works to run, got:\n${result.stderr}`)
    return readFileSync(output, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Counted)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
