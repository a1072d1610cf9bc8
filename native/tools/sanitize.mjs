// npm run test:sanitize -- [address] [thread]: builds the addon instrumented and runs the op suite and the stress tests on it.
//   address: AddressSanitizer and UndefinedBehaviorSanitizer; LeakSanitizer, where a leak with a frame of the addon fails
//   thread:  ThreadSanitizer
// Node itself is not instrumented, so the runtime is preloaded; and vitest is started by node, since npx dies under it.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const isas = process.arch === 'arm64' ? ['scalar', 'neon'] : ['scalar', 'avx2']

const library = (name) => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()

function build(name, sanitizers) {
  const dir = join(root, `build-${name}`)
  execFileSync(
    process.execPath,
    ['node_modules/cmake-js/bin/cmake-js', 'build', '-O', join(dir, 'build'), `--CDDUOFORMER_SANITIZE=${sanitizers}`],
    { cwd: root, stdio: 'inherit' },
  )
  return dir
}

/** Runs part of the suite on the addon in `dir`: node-gyp-build looks there first. Returns the exit code. */
function run(dir, args, env) {
  console.log(
    `sanitize: ${args.join(' ')} ${Object.entries(env)
      .map(([k, v]) => `${k}=${v}`)
      .join(' ')}`,
  )
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    'test/vitest.config.ts',
    '--testTimeout',
    '600000',
  ]
  return spawnSync(process.execPath, [...vitest, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, DUOFORMER_PREBUILD: dir, ...env },
  }).status
}

const suite = [...isas.flatMap((isa) => ['--project', isa]), '--project', 'default', '--project', 'full']
const files = [
  'test/ops',
  'test/native/workers',
  'test/native/memory',
  'test/native/errors',
  'test/native/determinism',
  'test/tensor',
]

function runAddress() {
  const dir = build('asan', 'address,undefined')
  const preload = `${library('libasan.so')}:${library('libstdc++.so')}`
  const ubsan = { UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1' }
  const failed = run(dir, [...suite, ...files], { LD_PRELOAD: preload, ASAN_OPTIONS: 'detect_leaks=0', ...ubsan }) !== 0

  // In one process, which lives until its leaks are looked for; Node's own leaks are not ours to judge.
  const reports = join(dir, 'leaks')
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports)
  const options = {
    ASAN_OPTIONS: `detect_leaks=1:exitcode=0:log_path=${join(reports, 'report')}`,
    LSAN_OPTIONS: 'exitcode=0',
  }
  const leakArgs = [
    '--project',
    isas[1],
    '--project',
    'default',
    '--pool',
    'threads',
    'test/ops',
    'test/native/memory',
    'test/tensor',
  ]
  const leakRun = run(dir, leakArgs, { LD_PRELOAD: preload, DUOFORMER_ISA: isas[1], ...options, ...ubsan })
  const leaks = readdirSync(reports)
    .flatMap((file) => readFileSync(join(reports, file), 'utf8').split('\n\n'))
    .filter((report) => report.includes('duoformer.node'))
  for (const leak of leaks) console.error(leak)
  console.log(`sanitize: ${leaks.length} leaks in the addon`)
  return failed || leakRun !== 0 || leaks.length > 0
}

function runThread() {
  const dir = build('tsan', 'thread')
  const options = 'ignore_noninstrumented_modules=1 report_signal_unsafe=0 exitcode=66 halt_on_error=1'
  return run(dir, [...suite, ...files], { LD_PRELOAD: library('libtsan.so'), TSAN_OPTIONS: options }) !== 0
}

const runs = { address: runAddress, thread: runThread }
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runs)
const failed = names.filter((name) => runs[name]())
console.log(
  failed.length > 0 ? `sanitize: failed under ${failed.join(' and ')}` : `sanitize: clean under ${names.join(' and ')}`,
)
process.exit(failed.length > 0 ? 1 : 0)
