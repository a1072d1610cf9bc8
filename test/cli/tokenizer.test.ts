import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Tokenizer, trainUnigram, trainWordPiece } from '../../lib/index.ts'
import { duoformer, start } from './run.ts'

const lines = ['The low tower, lower than the lowest.', 'New, newer, newest; the new tower is wide.', 'Wider, widest!']

let root: string
let tokenizer: Tokenizer
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'cli-tokenizer-'))
  writeFileSync(join(root, 'one.txt'), `${lines[0]}\n${lines[1]}\r\n`)
  writeFileSync(join(root, 'two.txt'), lines[2] as string)
  tokenizer = await trainWordPiece(lines, { vocabSize: 60, minFrequency: 1, lowercase: false })
  await tokenizer.savePretrained(join(root, 'expected'))
})
afterAll(() => rmSync(root, { recursive: true }))

const run = (args: string, input?: string | Uint8Array) =>
  duoformer(['tokenizer', ...args.split(' ')], { cwd: root, ...(input === undefined ? {} : { input }) })

describe('train', () => {
  const options = '--vocab-size 60 --min-frequency 1 --no-lowercase'

  it('writes what the library learns from the lines of the files', async () => {
    const { code, stdout } = await run(`train word-piece one.txt two.txt ${options} --out made/here`)
    expect([code, stdout]).toEqual([0, `${join(root, 'made/here')}: ${tokenizer.length} tokens\n`])
    const names = readdirSync(join(root, 'expected'))
    expect(readdirSync(join(root, 'made/here'))).toEqual(names)
    for (const name of names) {
      expect(readFileSync(join(root, 'made/here', name))).toEqual(readFileSync(join(root, 'expected', name)))
    }
  })

  it('learns Unigram vocabularies, too', async () => {
    const expected = await trainUnigram(lines, { vocabSize: 60, extraIds: 2, shrinkingFactor: 0.5 })
    await expected.savePretrained(join(root, 'expected-unigram'))
    const options = '--vocab-size 60 --extra-ids 2 --shrinking-factor 0.5 --out unigram'
    expect((await run(`train unigram one.txt two.txt ${options}`)).code).toBe(0)
    for (const name of readdirSync(join(root, 'expected-unigram'))) {
      expect(readFileSync(join(root, 'unigram', name))).toEqual(readFileSync(join(root, 'expected-unigram', name)))
    }
  })

  const failures: [args: string, message: string][] = [
    ['nowhere.txt --out made', 'expected a file of texts, got: ENOENT'],
    ['one.txt --out one.txt', 'expected --out in a folder, got one.txt, which is a file'],
    ['one.txt --out one.txt/deep/er', 'one.txt, which is a file'],
    ['one.txt --out made --vocab-size 6', 'trainWordPiece: expected vocabSize >= '],
    ['latin1.txt --out made', 'expected latin1.txt in UTF-8, got other bytes in line 2'],
    ['empty.txt --out made', 'trainWordPiece: expected texts with words, got none'],
  ]
  it.each(failures)('%s: fails, and writes nothing', async (args, message) => {
    rmSync(join(root, 'made'), { recursive: true, force: true })
    writeFileSync(join(root, 'latin1.txt'), Buffer.from('first\nd\u00e9j\u00e0 vu\n', 'latin1'))
    writeFileSync(join(root, 'empty.txt'), '')
    const before = readdirSync(root)
    const { code, stdout, stderr } = await run(`train word-piece ${args}`)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(message)
    expect(readdirSync(root)).toEqual(before)
  })

  it('stops on SIGINT with code 130, and writes nothing', async () => {
    execFileSync('mkfifo', ['pipe'], { cwd: root })
    const args = ['tokenizer', 'train', 'word-piece', 'pipe', '--out', 'made']
    const { child, ended } = start(args, { cwd: root })
    // Opening it waits for the reader; training so many words takes seconds.
    const pipe = await open(join(root, 'pipe'), 'w')
    await pipe.write(Array.from({ length: 200_000 }, (_, i) => (i * 2654435761).toString(36)).join('\n'))
    child.kill('SIGINT')
    await pipe.close()
    const { code, stdout, stderr } = await ended
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).toContain('duoformer: stopping; once more ends it at once\n')
    expect(readdirSync(root)).not.toContain('made')
  })
})

describe('encode and decode', () => {
  it('give what the library gives, of arguments, a file and standard input', async () => {
    const ids = await Promise.all(lines.map(async (line) => [...(await tokenizer.encode(line)).inputIds]))
    const printed = ids.map((row) => `${row.join(' ')}\n`).join('')
    writeFileSync(join(root, 'lines.txt'), lines.join('\n'))
    expect((await duoformer(['tokenizer', 'encode', 'expected', ...lines], { cwd: root })).stdout).toBe(printed)
    expect((await run('encode expected --file lines.txt')).stdout).toBe(printed)
    expect((await run('encode expected --file -', lines.join('\r\n'))).stdout).toBe(printed)
    expect((await run('encode expected', lines.join('\n'))).stdout).toBe(printed)
    const texts = await tokenizer.batchDecode(ids, { skipSpecialTokens: true })
    expect((await run('decode expected --skip-special-tokens', printed)).stdout).toBe(`${texts.join('\n')}\n`)
    expect((await run('decode expected 2 3')).stdout).toBe('[CLS] [SEP]\n')
  })

  it('print tokens, leave special ones out, and give JSON', async () => {
    const encoding = await tokenizer.encode('The tower', { addSpecialTokens: false })
    expect((await run('encode expected --tokens --no-add-special-tokens', 'The tower')).stdout).toBe(
      `${encoding.tokens.join(' ')}\n`,
    )
    const { stdout } = await run('encode expected --no-add-special-tokens --json', 'The tower')
    const offsets = encoding.tokens.map((_, i) => [...encoding.offsets.subarray(2 * i, 2 * i + 2)])
    const output = { ids: [...encoding.inputIds], tokens: encoding.tokens, offsets }
    expect(JSON.parse(stdout)).toEqual({ text: 'The tower', output })
    expect(JSON.parse((await run('decode expected --json 2')).stdout)).toEqual({ text: '2', output: '[CLS]' })
  })

  it('of nothing give nothing, and of an empty line a line', async () => {
    expect(await run('encode expected', '')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect((await run('encode expected', '\n\n')).stdout).toBe('2 3\n2 3\n')
  })

  const failures: [args: string, input: string, message: string][] = [
    ['encode nowhere/at/all', 'x', 'expected a folder or a hub id, got nothing at nowhere/at/all'],
    ['encode none', 'x', 'expected tokenizer.json in'],
    ['decode expected', '1 two 3', 'expected token ids, got "two"'],
    ['decode expected', '999', 'decode: expected ids of the'],
    [
      'encode expected --file nowhere.txt',
      '',
      "expected a file of texts, got: ENOENT: no such file or directory, open 'nowhere.txt'",
    ],
    ['encode expected --file none', '', 'EISDIR'],
  ]
  it.each(failures)('%s with %j fails', async (args, input, message) => {
    mkdirSync(join(root, 'none'), { recursive: true })
    const { code, stdout, stderr } = await run(args, input)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })
})
