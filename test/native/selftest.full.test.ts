// The native self-test on this machine's instruction sets, and cross-compiled for arm64 under user-mode emulation.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { instructionSets } from '../instruction-sets.ts'

const root = new URL('../..', import.meta.url).pathname
const work = mkdtempSync(join(tmpdir(), 'duoformer-selftest-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

const minutes = 60_000
const found = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0

/** In the addon's own build folder: it has the kernels already. */
function buildHere(): string {
  const options = ['build', '--target', 'selftest', '--CDDUOFORMER_WERROR=ON']
  execFileSync(process.execPath, ['node_modules/cmake-js/bin/cmake-js', ...options], { cwd: root, stdio: 'pipe' })
  return join(root, 'build', 'selftest')
}

function crossBuild(compiler: string): string {
  const target = ['-DCMAKE_SYSTEM_NAME=Linux', '-DCMAKE_SYSTEM_PROCESSOR=aarch64', `-DCMAKE_CXX_COMPILER=${compiler}`]
  execFileSync('cmake', ['-S', root, '-B', work, '-DDUOFORMER_WERROR=ON', ...target], { stdio: 'pipe' })
  execFileSync('cmake', ['--build', work, '--target', 'selftest', '-j2'], { stdio: 'pipe' })
  return join(work, 'selftest')
}

function run(command: readonly string[], isa: string) {
  const [file, ...args] = command as [string, ...string[]]
  const { status, stdout, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    env: { ...process.env, DUOFORMER_ISA: isa },
  })
  const lines = stdout.split('\n')
  return { status, stdout, stderr, lines, failures: lines.filter((line) => line.startsWith('FAIL')) }
}

function expectPass(command: readonly string[], isa: string) {
  const { status, stdout, stderr, lines, failures } = run(command, isa)
  expect(lines[0], stdout + stderr).toBe(`instruction set: ${isa}`)
  expect(failures, stderr).toEqual([])
  expect(status, stdout + stderr).toBe(0)
  console.log(`${isa}: ${lines.at(-2)}`)
  return new Set(lines.filter((line) => line.startsWith('ok')).map((line) => line.split(/ +/)[1] as string))
}

const covered = [
  ...['binary', 'unary', 'unaryBwd', 'gated', 'gatedBwd', 'cast', 'reduce', 'dropout'],
  ...['gemm', 'gemmPack', 'gemmEpilogueBwd', 'attentionFwd', 'attentionBwd'],
  ...['layerNorm', 'layerNormBwd', 'rmsNorm', 'rmsNormBwd', 'softmax', 'softmaxBwd'],
]

describe('native self-test', () => {
  test('on this machine; and with the expected values of an op altered, every check of that op fails', {
    timeout: 15 * minutes,
  }, () => {
    const binary = buildHere()
    for (const isa of instructionSets()) expect([...expectPass([binary], isa)].sort()).toEqual([...covered].sort())
    for (const op of covered) {
      const { status, failures, lines } = run([binary, op], 'scalar')
      expect(status, op).toBe(1)
      expect(failures.every((line) => line.startsWith(`FAIL ${op} `))).toBe(true)
      expect(lines.some((line) => line.startsWith(`ok   ${op} `))).toBe(false)
    }
    const unknown = run([binary], 'none')
    expect(unknown.status).toBe(2)
    expect(unknown.stderr).toContain('DUOFORMER_ISA: expected scalar or ')
  })

  const cross = 'aarch64-linux-gnu-g++'
  const missing = [cross, 'qemu-aarch64'].filter((tool) => !found(tool))
  if (missing.length > 0) console.log(`skipped: NEON self-test, needs ${missing.join(' and ')}`)
  test.skipIf(missing.length > 0)('NEON, cross-compiled and emulated', { timeout: 15 * minutes }, () => {
    const binary = crossBuild(cross)
    const emulated = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', binary]
    for (const isa of ['scalar', 'neon']) expect([...expectPass(emulated, isa)].sort()).toEqual([...covered].sort())
  })
})
