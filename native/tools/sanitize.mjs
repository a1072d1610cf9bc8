// npm run test:sanitize -- [address] [thread]: builds the addon instrumented and runs the suite on it.
//   address: AddressSanitizer and UndefinedBehaviorSanitizer, each tensor being a heap block of its exact size, so that
//            reading beyond one is seen; then LeakSanitizer, where a leak with a frame of the addon fails
//   thread:  ThreadSanitizer
// Before the suite, planted faults (test/native/faults.cpp) must be found. Node itself is not instrumented, so the
// runtime is preloaded; and vitest is started by node, since npx dies under it.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const isas = process.arch === 'arm64' ? ['scalar', 'neon'] : ['scalar', 'avx2']
// What is run beside the op suite uses instrumented kernels, too.
process.env.DUOFORMER_ISA = isas[1]

const library = (name) => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()

function say(text) {
  console.log(`sanitize: ${text}`)
}

function timed(what, action) {
  const start = performance.now()
  const result = action()
  say(`${what}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
  return result
}

function build(name, sanitizers) {
  const dir = join(root, `build-${name}`)
  const options = ['build', '-O', join(dir, 'build'), `--CDDUOFORMER_SANITIZE=${sanitizers}`]
  const node = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  timed(`built with ${sanitizers}`, () => node('node_modules/cmake-js/bin/cmake-js', ...options))
  if (process.arch !== 'arm64') say('instrumented are the scalar and AVX2 kernels; the AVX-512 ones are not run')
  // What worker threads of the tests import.
  node('node_modules/typescript/bin/tsc', '-p', 'lib/tsconfig.json')
  return dir
}

/** Commits a fault of test/native/faults.cpp in a process of its own. Returns its exit code and what it said. */
function commit(dir, fault, env) {
  const addon = join(dir, 'build', 'faults', 'faults.node')
  return spawnSync(process.execPath, ['-e', `require(${JSON.stringify(addon)}).${fault}()`], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
}

/** Whether the sanitizer ends the process with `report`. */
function finds(dir, fault, report, env) {
  const { status, stderr } = commit(dir, fault, env)
  const found = status !== 0 && stderr.includes(report)
  say(`planted ${fault}: ${found ? `found (${report})` : `NOT FOUND, exit ${status}\n${stderr}`}`)
  return found
}

/** Runs tests on the addon in `dir`: node-gyp-build looks there first. Returns whether they passed. */
function runTests(dir, projects, files, env) {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts']
  const selected = [...projects.flatMap((project) => ['--project', project]), ...files]
  say(`vitest ${selected.join(' ')}`)
  const { status } = timed('tests', () =>
    spawnSync(process.execPath, [...vitest, '--testTimeout', '600000', ...selected], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, DUOFORMER_PREBUILD: dir, ...env },
    }),
  )
  return status === 0
}

/** Reports of leaks with a frame of `binary`. Node's own leaks, and those of what else it loads, are not ours to judge. */
function leaksOf(reports, binary) {
  return readdirSync(reports)
    .flatMap((file) => readFileSync(join(reports, file), 'utf8').split('\n\n'))
    .filter((report) => report.includes(binary))
}

// The op suite for each instruction set, and what else drives queue, pool, memory and teardown. Not the full tests: their
// bounds of resident memory are not meant for a sanitizer's own, and the self-test has builds of its own.
const natives = ['determinism', 'errors', 'memory', 'workers'].map((name) => `test/native/${name}`)
const suite = ['test/ops', ...natives, 'test/tensor', 'test/autograd']

/** 60 worker threads come and go with work in flight. Returns whether their process ends as it should. */
function runWorkers(dir, env) {
  const options = { warmUp: 0, workers: 60, atOnce: 4 }
  const { status } = timed('60 workers', () =>
    spawnSync(process.execPath, ['test/native/churn.mjs', JSON.stringify(options)], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, DUOFORMER_PREBUILD: dir, ...env },
    }),
  )
  return status === 0
}

function checkAddress() {
  const dir = build('asan', 'address,undefined')
  const env = {
    LD_PRELOAD: `${library('libasan.so')}:${library('libstdc++.so')}`,
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    DUOFORMER_CHECKED_MEMORY: '1',
  }
  const noLeaks = { ...env, ASAN_OPTIONS: 'detect_leaks=0' }
  const found = [
    finds(dir, 'overflow', 'heap-buffer-overflow', noLeaks),
    finds(dir, 'useAfterFree', 'heap-use-after-free', noLeaks),
    finds(dir, 'undefined', 'signed integer overflow', noLeaks),
    findsLeak(dir, env),
  ]
  const clean = [runTests(dir, [...isas, 'default'], suite, noLeaks), runWorkers(dir, noLeaks), leaksNothing(dir, env)]
  return [...found, ...clean].every(Boolean)
}

function leakOptions(dir) {
  const reports = join(dir, 'leaks')
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports)
  // Each frame names its binary, which by default only frames without a source line do.
  const format = "stack_trace_format='    #%n %F %S %M'"
  const options = `detect_leaks=1:exitcode=0:log_path=${join(reports, 'report')}:${format}`
  return { reports, options: { ASAN_OPTIONS: options, LSAN_OPTIONS: 'exitcode=0' } }
}

function findsLeak(dir, env) {
  const { reports, options } = leakOptions(dir)
  commit(dir, 'leak', { ...env, ...options })
  const leaks = leaksOf(reports, 'faults.node')
  say(`planted leak: ${leaks.length > 0 ? 'found' : 'NOT FOUND'}`)
  return leaks.length > 0
}

/** The suite in one process, which lives until its leaks are looked for; each op once. */
function leaksNothing(dir, env) {
  const { reports, options } = leakOptions(dir)
  const leakEnv = { ...env, ...options }
  const files = suite.filter((path) => !path.includes('determinism'))
  // Where Node itself leaks, LeakSanitizer replaces the exit code, which one test looks at.
  const others = ['--testNamePattern', '^(?!process\\.exit )']
  const tests = runTests(dir, [isas[1], 'default'], [...files, '--pool', 'threads', ...others], leakEnv)
  const passed = runWorkers(dir, leakEnv) && tests
  const leaks = leaksOf(reports, 'duoformer.node')
  for (const leak of leaks) console.error(leak)
  say(`${readdirSync(reports).length} processes looked through, ${leaks.length} leaks in the addon`)
  return passed && leaks.length === 0 && readdirSync(reports).length > 0
}

function checkThread() {
  const dir = build('tsan', 'thread')
  // Its sleep before the exit, of 1 s, is longer than a test allows an exit to take.
  const options =
    'ignore_noninstrumented_modules=1 report_signal_unsafe=0 exitcode=66 halt_on_error=1 atexit_sleep_ms=0'
  const env = { LD_PRELOAD: library('libtsan.so'), TSAN_OPTIONS: options }
  const clean = [runTests(dir, [...isas, 'default'], suite, env), runWorkers(dir, env)]
  return [finds(dir, 'race', 'data race', env), ...clean].every(Boolean)
}

const checks = { address: checkAddress, thread: checkThread }
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(checks)
const unknown = names.filter((name) => !Object.hasOwn(checks, name))
if (unknown.length > 0) {
  console.error(`sanitize: expected ${Object.keys(checks).join(' or ')}, got ${unknown.join(', ')}`)
  process.exit(2)
}
const failed = names.filter((name) => !timed(name, checks[name]))
say(failed.length > 0 ? `failed under ${failed.join(' and ')}` : `clean under ${names.join(' and ')}`)
process.exit(failed.length > 0 ? 1 : 0)
