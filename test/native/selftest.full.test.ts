// The native self-test on this machine's instruction sets, and cross-compiled for arm64 under user-mode emulation.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const work = mkdtempSync(join(tmpdir(), 'duoformer-selftest-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

const minutes = 60_000
const found = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0

function build(dir: string, options: readonly string[]): string {
  execFileSync('cmake', ['-S', root, '-B', dir, '-DCMAKE_BUILD_TYPE=Release', '-DDUOFORMER_WERROR=ON', ...options])
  execFileSync('cmake', ['--build', dir, '--target', 'selftest', '-j2'])
  return join(dir, 'selftest')
}

function run(command: readonly string[], isa: string) {
  const [file, ...args] = command as [string, ...string[]]
  return spawnSync(file, args, { encoding: 'utf8', env: { ...process.env, DUOFORMER_ISA: isa } })
}

describe('native self-test', () => {
  test('on this machine', { timeout: 15 * minutes }, () => {
    const binary = build(join(work, 'host'), [])
    for (const isa of process.arch === 'arm64' ? ['scalar', 'neon'] : ['scalar', 'avx2']) {
      const { status, stdout } = run([binary], isa)
      expect(stdout).toContain(`instruction set: ${isa}`)
      expect(status, stdout).toBe(0)
    }
    expect(run([binary], 'none').stderr + run([binary], 'none').status).not.toBe('0')
  })

  const cross = 'aarch64-linux-gnu-g++'
  const missing = [cross, 'qemu-aarch64'].filter((tool) => !found(tool))
  if (missing.length > 0) console.log(`skipped: NEON self-test, needs ${missing.join(' and ')}`)
  test.skipIf(missing.length > 0)('NEON, cross-compiled and emulated', { timeout: 15 * minutes }, () => {
    const target = ['-DCMAKE_SYSTEM_NAME=Linux', '-DCMAKE_SYSTEM_PROCESSOR=aarch64', `-DCMAKE_CXX_COMPILER=${cross}`]
    const binary = build(join(work, 'neon'), target)
    for (const isa of ['scalar', 'neon']) {
      const { status, stdout } = run(['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', binary], isa)
      expect(stdout).toContain(`instruction set: ${isa}`)
      expect(status, stdout).toBe(0)
    }
  })
})
