import { accessSync, constants, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from '../../lib/cli/arguments.ts'
import type { Command, Group } from '../../lib/cli/command.ts'
import { duoformer as commands } from '../../lib/cli/commands/index.ts'
import { choice, flag, integer, number, onFlag, text, texts } from '../../lib/cli/flags.ts'
import { helpOf } from '../../lib/cli/help.ts'
import { nearest } from '../../lib/cli/nearest.ts'
import { built, duoformer } from './run.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** All commands and groups with the names that lead to them. */
function entriesOf(names: readonly string[], entry: Command | Group): [string[], Command | Group][] {
  const below = entry.kind === 'group' ? Object.entries(entry.commands) : []
  return [[[...names], entry], ...below.flatMap(([name, next]) => entriesOf([...names, name], next))]
}
const entries = entriesOf([], commands)

// A copy of the package without its native binary, which help must not need.
let copy: string
let program: string
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'cli-'))
  for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  program = join(copy, 'dist', 'cli', 'bin.js')
})
afterAll(() => rmSync(copy, { recursive: true }))

it('says what is missing where there is no native binary', async () => {
  const { code, stderr } = await duoformer(['info'], { program })
  expect(code).toBe(1)
  expect(stderr).toContain('expected a native binary, got none that loads')
})

it('can be run as the build leaves it, by npx in a clone', () => {
  expect(() => accessSync(built, constants.X_OK)).not.toThrow()
})

describe('--help needs none', () => {
  it.each(entries)('%j: prints what it does, and all of its options or commands', async (names, entry) => {
    const { code, stdout, stderr } = await duoformer([...names, '--help'], { program })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toBe(`${helpOf(['duoformer', ...names].join(' '), entry)}\n`)
    expect(stdout).toContain(entry.summary)
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([])
    const parts = entry.kind === 'group' ? Object.keys(entry.commands) : ['Usage:', '--help', ...entry.examples]
    for (const part of parts) expect(stdout).toContain(part)
  })

  it('shows examples that can be parsed', () => {
    for (const [names, entry] of entries) {
      if (entry.kind === 'group') continue
      for (const example of entry.examples) {
        const words = [...example.replace(/ <.*/, '').matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2])
        expect(words.slice(0, names.length)).toEqual(names)
        parse(words.slice(names.length) as string[], entry.flags, entry.positionals)
      }
    }
  })

  it('counts after the arguments, but not after --', async () => {
    expect((await duoformer(['info', 'x', '-h'])).stdout).toContain('Usage: duoformer info')
    expect((await duoformer(['info', '--', '--help'])).code).toBe(1)
  })
})

it('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  expect(await duoformer(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

describe('a command that is written wrong', () => {
  const wrong: [args: string[], ...messages: string[]][] = [
    [[], 'expected a command, got none', 'Commands: ', 'duoformer --help tells more'],
    [['tokeniser'], 'expected a command, got tokeniser; did you mean tokenizer?'],
    [['xyz'], 'expected a command, got xyz\n'],
    [['tokenizer', 'enc'], 'duoformer tokenizer: expected a command, got enc; did you mean encode?'],
    [['tokenizer', 'train'], 'duoformer tokenizer train: expected a command, got none'],
    [
      ['info', '--jso'],
      'duoformer info: expected a known option, got --jso; did you mean --json?',
      'Known options: --json --revision',
    ],
    [['info', '--no-revision'], 'expected a known option, got --no-revision'],
    [['info', '-x'], 'expected a known option, got -x\n'],
    [['info', '--revision'], "Option '--revision <value>' argument missing"],
    [['info', '--json=1'], "Option '--json' does not take an argument"],
    [['tokenizer', 'encode'], 'expected TOKENIZER, got no more arguments'],
    [['tokenizer', 'encode', 'folder', 'text', '--file', 'x'], 'expected texts or --file, got both'],
    [['tokenizer', 'train', 'word-piece', 'x.txt'], 'expected --out DIR, got none'],
    [
      ['tokenizer', 'train', 'word-piece', 'x.txt', '--vocab-size', '8k'],
      'expected --vocab-size to be an integer >= 1, got "8k"',
    ],
    [['tokenizer', 'train', 'word-piece', 'x.txt', '--vocab', '8'], 'did you mean --vocab-size?'],
  ]
  it.each(wrong)('%j', async (args, ...messages) => {
    const { code, stdout, stderr } = await duoformer(args)
    expect([code, stdout]).toEqual([2, ''])
    for (const message of messages) expect(stderr).toContain(message)
  })
})

describe('options', () => {
  const flags = {
    numBeams: integer('N', '', 1),
    topP: number('P', ''),
    stopStrings: texts('TEXT', ''),
    out: text('DIR', ''),
    early: choice([true, false, 'never'], ''),
    stream: flag(''),
    lowercase: onFlag(''),
  }
  const values = (...args: string[]) => parse(args, flags, { required: [], rest: 'TEXT' }).values

  it('become values under the names of the library', () => {
    expect(values('--num-beams', '4', '--top-p=0.5', '--stream', '--no-lowercase', '--out', 'a')).toEqual({
      numBeams: 4,
      topP: 0.5,
      stream: true,
      lowercase: false,
      out: 'a',
    })
    expect(values('--top-p=-1e-3', '--early', 'never', '--no-stream')).toEqual({
      topP: -0.001,
      early: 'never',
      stream: false,
    })
    expect(values('--early', 'true').early).toBe(true)
  })

  it('count once, the last one, unless they may be repeated', () => {
    expect(values('--num-beams', '1', '--num-beams', '2')).toEqual({ numBeams: 2 })
    expect(values('--stop-strings', 'a', '--stop-strings', 'b')).toEqual({ stopStrings: ['a', 'b'] })
  })

  it('that were not given have no value', () => expect(values('text', '--', '--stream')).toEqual({}))

  it.each([
    ['--num-beams', '0'],
    ['--num-beams', '1.5'],
    ['--num-beams', '99999999999999999999'],
    ['--top-p', 'x'],
    ['--top-p', ''],
    ['--top-p', 'Infinity'],
    ['--early', 'maybe'],
    ['--out', ''],
    ['--stop-strings', ''],
  ])('%s %j is refused', (name, value) => expect(() => values(name, value)).toThrow(`expected ${name} to be `))
})

it('nearest finds what was meant, and nothing where nothing is near', () => {
  const names = ['max-new-tokens', 'min-new-tokens', 'max-length', 'num-beams', 'seed', 'json']
  expect(nearest('max-new-token', names)).toBe('max-new-tokens')
  expect(nearest('numbeams', names)).toBe('num-beams')
  expect(nearest('esed', names)).toBe('seed')
  expect(nearest('beams', names)).toBe('num-beams')
  expect(nearest('max', names)).toBe(null)
  expect(nearest('x', names)).toBe(null)
  expect(nearest('', names)).toBe(null)
})
