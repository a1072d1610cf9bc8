// The package as users get it: prebuilt, packed, installed with install scripts off into an empty project.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const buildMinutes = 15

// A copy, so that the checkout's own build stays what it is.
const work = mkdtempSync(join(tmpdir(), 'duoformer-package-'))
const source = join(work, 'source')
const project = join(work, 'project')
const installed = join(project, 'node_modules', 'duoformer')

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}\n${stdout}${stderr}`)
  return stdout
}

function node(file: string, env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [file], { cwd: project, encoding: 'utf8', env: { ...process.env, ...env } })
}

beforeAll(() => {
  const files = run('git', ['ls-files', '-co', '--exclude-standard'], root).split('\n').filter(Boolean)
  for (const file of files) cpSync(join(root, file), join(source, file))
  run('ln', ['-s', join(root, 'node_modules'), join(source, 'node_modules')], root)
  run('npm', ['run', 'prebuildify'], source)
  run('npm', ['pack', '--pack-destination', work], source)
  const [tarball] = readdirSync(work).filter((name) => name.endsWith('.tgz'))
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "private": true }')
  run('npm', ['install', '--ignore-scripts', '--prefer-offline', join(work, tarball as string)], project)
}, buildMinutes * 60_000)

afterAll(() => rmSync(work, { recursive: true, force: true }))

const use = `
  const q = Tensor.from(new Float32Array(2 * 4).fill(0.5), { shape: [2, 1, 4] })
  const offsets = Packing.fromLengths([2]).tensors().cuSeqlens
  const product = ops.gemm(Tensor.from([[1, 2], [3, 4]]), Tensor.from([[1, 0], [0, 1]]))
  const o = ops.attention(q, q, q, { cuSeqlensQ: offsets, cuSeqlensK: offsets })
  Promise.all([product.data(), o.data()]).then(([a, b]) => console.log(a.join(), b.join()))`

describe('the packed package', () => {
  test('is a stripped binary, without strays, in at most 15 MB', () => {
    const [binary] = readdirSync(join(installed, 'prebuilds', `linux-${process.arch}`))
    const path = join(installed, 'prebuilds', `linux-${process.arch}`, binary as string)
    const megabytes = Number(run('du', ['-sb', installed], root).split('\t')[0]) / 1e6
    console.log(`installed: ${megabytes.toFixed(1)} MB, ${(statSync(path).size / 1e6).toFixed(1)} of them the binary`)
    expect(megabytes).toBeLessThanOrEqual(15)
    expect(run('file', [path], root)).not.toContain('not stripped')
    const tops = readdirSync(installed).sort()
    expect(tops).toEqual(['CMakeLists.txt', 'LICENSE', 'README.md', 'dist', 'native', 'package.json', 'prebuilds'])
  })

  test('needs no newer glibc than 2.34', () => {
    const dir = join(installed, 'prebuilds', `linux-${process.arch}`)
    const symbols = run('objdump', ['-T', join(dir, readdirSync(dir)[0] as string)], root)
    const versions = [...symbols.matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]))
    expect(Math.max(...versions)).toBeLessThanOrEqual(34)
  })

  test('runs by import and by require, with the same result', () => {
    writeFileSync(join(project, 'a.mjs'), `import { ops, Packing, Tensor } from 'duoformer'\n${use}`)
    writeFileSync(join(project, 'b.cjs'), `const { ops, Packing, Tensor } = require('duoformer')\n${use}`)
    const [esm, cjs] = [node('a.mjs'), node('b.cjs')]
    expect(esm.stdout, esm.stderr).toBe('1,2,3,4 0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5\n')
    expect(cjs.stdout, cjs.stderr).toBe(esm.stdout)
  })

  test('imports in under 50 ms (median of 9) and touches no CUDA library', () => {
    writeFileSync(
      join(project, 'time.mjs'),
      `const start = performance.now(); await import('duoformer'); const ms = performance.now() - start
       const { readFileSync } = await import('node:fs')
       console.log(ms, /cuda/.test(readFileSync('/proc/self/maps', 'utf8')))`,
    )
    const runs = Array.from({ length: 9 }, () => node('time.mjs').stdout.trim().split(' '))
    const times = runs.map(([ms]) => Number(ms)).sort((a, b) => a - b)
    console.log(`import: ${times[4]?.toFixed(1)} ms (median of 9)`)
    expect(times[4]).toBeLessThan(50)
    expect(runs.every(([, cuda]) => cuda === 'false')).toBe(true)
  })

  test('brings the command line, whose help is there in under 100 ms (median of 9)', () => {
    const program = join(project, 'node_modules', '.bin', 'duoformer')
    expect(JSON.parse(run(program, ['info', '--json'], project))).toMatchObject({ node: process.version })
    const times = Array.from({ length: 9 }, () => {
      const start = performance.now()
      run(program, ['--help'], project)
      return performance.now() - start
    }).sort((a, b) => a - b)
    console.log(`duoformer --help: ${times[4]?.toFixed(1)} ms (median of 9)`)
    expect(times[4]).toBeLessThan(100)
  })

  test('has types for import and for require', () => {
    // As every TypeScript project on Node has them: AbortSignal is theirs.
    cpSync(join(root, 'node_modules', '@types', 'node'), join(project, 'node_modules', '@types', 'node'), {
      recursive: true,
    })
    cpSync(join(root, 'node_modules', 'undici-types'), join(project, 'node_modules', 'undici-types'), {
      recursive: true,
    })
    writeFileSync(
      join(project, 'typed.mts'),
      `import { keep, ops, Tensor } from 'duoformer'
       const y: Tensor = keep(ops.gemm(Tensor.from([[1]]), Tensor.from([[1]])))
       // @ts-expect-error: a number is no tensor
       ops.gemm(1, y)`,
    )
    writeFileSync(
      join(project, 'typed.cts'),
      `import d = require('duoformer')\nconst x: d.Tensor = d.Tensor.from([1])\nx.dispose()`,
    )
    const tsc = join(root, 'node_modules', '.bin', 'tsc')
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'es2023,esnext.disposable',
      '--types',
      'node',
    ]
    run(tsc, [...options, 'typed.mts', 'typed.cts'], project)
  })

  test(
    'without a matching binary says what was tried, why, and how to build; and that builds',
    () => {
      rmSync(join(installed, 'prebuilds'), { recursive: true })
      const failed = node('a.mjs')
      expect(failed.stderr).toContain('DeviceError: duoformer: expected a native binary, got none that loads')
      expect(failed.stderr).toContain(join(installed, 'prebuilds', `linux-${process.arch}`))
      expect(failed.stderr).toMatch(/Likely cause: .*glibc/)
      const command = /run in your project:\n {2}(.*)/.exec(failed.stderr)?.[1] as string
      execFileSync('bash', ['-c', command], { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] })
      expect(node('a.mjs').stdout).toBe('1,2,3,4 0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5\n')
    },
    buildMinutes * 60_000,
  )
})
