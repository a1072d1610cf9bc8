// Training where the system refuses: nothing is left half-written, and what was saved before can be gone on from.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeBase } from '../train/bases.ts'
import { built, duoformer, start } from './run.ts'

let root: string
const at = (...names: string[]) => join(root, ...names)
/** Blocks that half of the model's weights take. */
let half: number
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'training-failures-'))
  await writeBase(at('electra'), 'electra')
  await writeBase(at('t5'), 't5')
  half = Math.floor(statSync(at('electra', 'model.safetensors')).size / 2 / 512)
  const rows = Array.from({ length: 24 }, (_, i) => `the ${['good', 'bad'][i % 2]} film ${i}\t${i % 2}`)
  writeFileSync(at('rows.tsv'), `sentence\tlabel\n${rows.join('\n')}\n`)
})
afterAll(() => rmSync(root, { recursive: true }))

const finetune = 'finetune --task classification --model electra --train rows.tsv --batch-size 8'
const run = (args: string) => duoformer(args.split(' '), { cwd: root })

/** Runs with files limited to so many blocks of 512 bytes, as on a disk that is full. */
function limited(blocks: number, args: string) {
  const script = `ulimit -f ${blocks}; exec "$@"`
  const { status, stdout, stderr } = spawnSync(
    'sh',
    ['-c', script, 'sh', process.execPath, built, ...args.split(' ')],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  return { code: status, stdout, stderr }
}

describe('a disk that is full', () => {
  const weights = (folder: string) => readFileSync(at(folder, 'model.safetensors'))
  const constant = `${finetune} --schedule constant --warmup-steps 0`

  it('ends the run with an error and without a part of a checkpoint', () => {
    const full = limited(half, `${constant} --steps 2 --out none`)
    expect([full.code, full.stderr]).toEqual([
      1,
      expect.stringMatching(/expected to .*none\/checkpoints.*File too large/),
    ])
    expect(full.stderr).not.toMatch(/^ {4}at /m)
    expect(readdirSync(at('none', 'checkpoints'))).toEqual([])
    expect(readdirSync(at('none'))).not.toContain('model.safetensors')
    expect(JSON.parse(readFileSync(at('none', 'run.json'), 'utf8')).steps).toBe(2)
  })

  it('leaves the checkpoint that was there, from which the run goes on once there is room', async () => {
    expect((await run(`${constant} --steps 2 --out part`)).code).toBe(0)
    const full = limited(half, `${constant} --steps 4 --out part --resume`)
    expect([full.code, full.stderr]).toEqual([1, expect.stringContaining('File too large')])
    expect(readdirSync(at('part', 'checkpoints'))).toEqual(['step-2'])
    expect((await run(`${constant} --steps 4 --out part --resume`)).code).toBe(0)
    expect((await run(`${constant} --steps 4 --out whole`)).code).toBe(0)
    expect(weights('part').equals(weights('whole'))).toBe(true)
  })

  it('/dev/full as output is an error, too', async () => {
    expect((await run(`${finetune} --steps 1 --out scored`)).code).toBe(0)
    const args = ['evaluate', '--task', 'classification', '--model', 'scored', '--data', 'rows.tsv']
    const { status, stderr } = spawnSync(process.execPath, [built, ...args], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    })
    expect([status, stderr]).toEqual([1, expect.stringContaining('ENOSPC')])
  })
})

it('Ctrl-C waits for the step, a second one for nothing', async () => {
  const rows = Array.from({ length: 4000 }, (_, i) => `the film ${i} was good\t1`)
  writeFileSync(at('many.tsv'), `sentence\tlabel\n${rows.join('\n')}\n`)
  // An evaluation that writes 84 tokens for each of 4,000 rows takes far longer than this test.
  const args = 'finetune --task sst2 --model t5 --train rows.tsv --eval many.tsv --eval-every 1 --lr 0 --out twice'
  const { child, ended, until } = start(args.split(' '), { cwd: root })
  const log = at('twice', 'log.jsonl')
  while (!existsSync(log) || !readFileSync(log, 'utf8').includes('"step":1'))
    await new Promise((wake) => setTimeout(wake, 10))
  child.kill('SIGINT')
  await until('once more ends it at once')
  await new Promise((wake) => setTimeout(wake, 300))
  expect(child.exitCode).toBe(null)
  const begun = performance.now()
  child.kill('SIGINT')
  expect((await ended).code).toBe(130)
  expect(performance.now() - begun).toBeLessThan(2000)
  expect(readdirSync(at('twice'))).not.toContain('model.safetensors')
})

describe('what is missing or broken', () => {
  it.each([
    [`${finetune} --eval none.tsv --out made`, 'expected a file none.tsv, got none of that name'],
    ['finetune --task classification --model ./none --train rows.tsv --out made', "is that a model's folder?"],
    [
      'finetune --task sst2 --model t5 --train wrong.tsv --out made',
      'expected label to be negative, positive, or its number, got "2" in wrong.tsv:3',
    ],
    ['finetune --task sst2 --model electra --train rows.tsv --out made', 'expected model_type to be t5, mt5, umt5'],
    ['finetune --task multiple-choice --model t5 --train rows.tsv --out made', 'expected model_type to be electra'],
    [
      'finetune --task regression --model electra --train words.tsv --out made',
      'expected a number in column "label" of words.tsv:3',
    ],
    [
      'finetune --task classification --model t5 --train ends.tsv --out made',
      'expected a text without </s> in ends.tsv:2',
    ],
    [
      'finetune --task question-answering --model electra --train moved.jsonl --out made',
      'expected the answer "film" to stand in the context of moved.jsonl:2',
    ],
    ['finetune --task classification --model electra --train rows.tsv --out /dev/full', '/dev/full'],
    ['evaluate --task classification --model electra --data none.tsv', 'none.tsv'],
  ])('%s', async (args, message) => {
    writeFileSync(at('wrong.tsv'), 'sentence\tlabel\na\t1\nb\t2\n')
    writeFileSync(at('words.tsv'), 'text\tlabel\na\t1\nb\tmany\n')
    writeFileSync(at('ends.tsv'), 'text\tlabel\na </s> b\t1\nb\t2\n')
    const answers = (start: number) => ({ text: ['film'], answer_start: [start] })
    const question = (start: number) =>
      JSON.stringify({ question: 'what', context: 'the film', answers: answers(start) })
    writeFileSync(at('moved.jsonl'), `${question(4)}\n${question(3)}\n`)
    const ended = await run(args)
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining(message)])
    expect(ended.stderr).not.toMatch(/^ {4}at /m)
    expect(readdirSync(root)).not.toContain('made')
  })
})
