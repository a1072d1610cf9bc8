import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ElectraForSequenceClassification,
  type Pipeline,
  pipeline,
  T5ForConditionalGeneration,
} from '../../lib/index.ts'
import { writeModel } from '../pipelines/folders.ts'
import { built, duoformer, start } from './run.ts'

const texts = ['the sun lives in paris', 'a good movie, not a bad one', 'where is the old river?']
const masked = ['the [MASK] lives in paris.', '[MASK] is [MASK]']

let root: string
let generate: Pipeline<'text2text-generation'>
let classify: Pipeline<'text-classification'>
let detect: Pipeline<'replaced-token-detection'>
let fillMask: Pipeline<'fill-mask'>
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'cli-models-'))
  writeModel(join(root, 't5'), 't5_generate')
  writeModel(join(root, 'classifier'), 'electra_text')
  writeModel(join(root, 'discriminator'), 'electra_rtd')
  writeModel(join(root, 'generator'), 'electra_mlm')
  writeFileSync(join(root, 'texts.txt'), texts.join('\n'))
  generate = await pipeline('text2text-generation', join(root, 't5'))
  classify = await pipeline('text-classification', join(root, 'classifier'))
  detect = await pipeline('replaced-token-detection', join(root, 'discriminator'))
  fillMask = await pipeline('fill-mask', join(root, 'generator'))
})
afterAll(() => {
  for (const pipe of [generate, classify, detect, fillMask]) pipe.dispose()
  rmSync(root, { recursive: true })
})

const run = (args: readonly string[], input?: string) =>
  duoformer(args, { cwd: root, ...(input === undefined ? {} : { input }) })
const jsonLines = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const done = (stdout: string) => ({ code: 0, stdout, stderr: '' })

describe('generate', () => {
  it('prints what the pipeline gives, of arguments, a file and standard input', async () => {
    const made = await generate(texts, { maxNewTokens: 8 })
    const printed = done(made.map(({ generatedText }) => `${generatedText}\n`).join(''))
    const options = ['--max-new-tokens', '8']
    expect(await run(['generate', 't5', ...texts, ...options])).toEqual(printed)
    expect(await run(['generate', 't5', '--file', 'texts.txt', ...options])).toEqual(printed)
    expect(await run(['generate', 't5', ...options], texts.join('\n'))).toEqual(printed)
  })

  it('takes the options of the library', async () => {
    const options = { doSample: true, numBeams: 1, temperature: 2, topK: 20, topP: 0.9, seed: 7, maxNewTokens: 8 }
    const made = await generate(texts[0] as string, {
      ...options,
      prefix: 'translate english to german: ',
      numReturnSequences: 2,
    })
    const args = '--do-sample --num-beams 1 --temperature 2 --top-k 20 --top-p 0.9 --seed 7 --max-new-tokens 8'.split(
      ' ',
    )
    const given = [...args, '--prefix', 'translate english to german: ', '--num-return-sequences', '2']
    const plain = await run(['generate', 't5', texts[0] as string, ...given])
    expect(plain).toEqual(done(made.map(({ generatedText }) => `${generatedText}\n`).join('')))
    const { stdout } = await run(['generate', 't5', texts[0] as string, ...given, '--json'])
    expect(jsonLines(stdout)).toEqual([{ text: texts[0], output: made }])
    expect(new Set(made.map(({ generatedText }) => generatedText)).size).toBe(2)
  })

  it('--stream prints the same text in pieces', async () => {
    const made = await generate(texts.slice(0, 2), { maxNewTokens: 12, numBeams: 1 })
    const input = [texts[0], '', texts[1]].join('\n')
    const [first, second] = made.map(({ generatedText }) => generatedText)
    expect(await run(['generate', 't5', '--stream', '--max-new-tokens', '12'], input)).toEqual(
      done(`${first}\n\n${second}\n`),
    )
  })

  it('runs with 16-bit weights, a number of threads, another tokenizer and one text at a time', async () => {
    using half = await pipeline('text2text-generation', join(root, 't5'), { dtype: 'bfloat16' })
    const made = await half(texts, { maxNewTokens: 8 })
    const args = [
      '--dtype',
      'bfloat16',
      '--threads',
      '1',
      '--batch-size',
      '1',
      '--tokenizer',
      './t5',
      '--device',
      'cpu',
    ]
    const { stdout } = await run(['generate', 't5', ...texts, '--max-new-tokens', '8', ...args])
    expect(stdout).toBe(made.map(({ generatedText }) => `${generatedText}\n`).join(''))
  })
})

describe('classify', () => {
  it('prints the best classes with their scores', async () => {
    const best = await classify(texts)
    const all = await classify(texts, { topK: null })
    const line = (classes: typeof best) =>
      `${classes.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join(', ')}\n`
    expect(await run(['classify', 'classifier', ...texts])).toEqual(done(best.map((one) => line([one])).join('')))
    expect(await run(['classify', 'classifier', '--top-k', '0', ...texts])).toEqual(done(all.map(line).join('')))
    const raw = await classify(texts, { topK: 2, functionToApply: 'none' })
    const { stdout } = await run([
      'classify',
      'classifier',
      '--top-k',
      '2',
      '--function-to-apply',
      'none',
      '--json',
      ...texts,
    ])
    expect(jsonLines(stdout)).toEqual(texts.map((text, i) => ({ text, output: raw[i] })))
  })

  it('gives an empty line for an empty line', async () => {
    const [first, second] = await classify(texts.slice(0, 2))
    const input = `\n\n${texts[0]}\n\n${texts[1]}\n\n`
    const { stdout } = await run(['classify', 'classifier', '--json'], input)
    const empty = { text: '', output: null }
    const outputs = [{ text: texts[0], output: [first] }, empty, { text: texts[1], output: [second] }, empty]
    expect(jsonLines(stdout)).toEqual([empty, empty, ...outputs])
    expect((await run(['classify', 'classifier'], '\n')).stdout).toBe('\n')
  })

  it('of nothing gives nothing', async () => expect(await run(['classify', 'classifier'], '')).toEqual(done('')))
})

describe('detect', () => {
  it('marks the words that look replaced, and gives all words as JSON', async () => {
    const text = "Anna's newest film (2024) was not good."
    const tokens = await detect(text, { threshold: 0.97 })
    const { stdout: json } = await run(['detect', 'discriminator', '--threshold', '0.97', '--json', text])
    const [{ output: words }] = jsonLines(json) as [
      { output: { word: string; start: number; end: number; score: number; replaced: boolean }[] },
    ]
    expect(words.map(({ word }) => word)).toEqual([
      "Anna's",
      'newest',
      'film',
      '(',
      '2024',
      ')',
      'was',
      'not',
      'good',
      '.',
    ])
    for (const { word, start, end, score, replaced } of words) {
      const parts = tokens.filter((token) => token.start >= start && token.end <= end)
      expect(text.slice(start, end)).toBe(word)
      expect(score).toBe(Math.max(...parts.map((token) => token.score)))
      expect(replaced).toBe(score >= 0.97)
    }
    expect(words.some(({ replaced }) => replaced) && words.some(({ replaced }) => !replaced)).toBe(true)
    const { stdout } = await run(['detect', 'discriminator', '--threshold', '0.97', text])
    expect(stdout.replaceAll(/\[(\S+) \d\.\d{4}\]/g, '$1')).toBe(`${text}\n`)
    const marked = words.filter(({ replaced }) => replaced).map(({ word, score }) => `[${word} ${score.toFixed(4)}]`)
    expect(stdout.match(/\[\S+ \d\.\d{4}\]/g)).toEqual(marked)
  })
})

describe('fill-mask', () => {
  it('prints the best words for each mask', async () => {
    const made = (await fillMask(masked, { topK: 2 })) as unknown[]
    const { stdout } = await run(['fill-mask', 'generator', '--top-k', '2', '--json', ...masked])
    expect(jsonLines(stdout)).toEqual(masked.map((text, i) => ({ text, output: made[i] })))
    type Words = { tokenStr: string; score: number }[]
    const line = (words: Words) => words.map(({ tokenStr, score }) => `${tokenStr} ${score.toFixed(4)}`).join(', ')
    const [one, two] = made as [Words, [Words, Words]]
    const plain = await run(['fill-mask', 'generator', '--top-k', '2', ...masked])
    expect(plain).toEqual(done(`${line(one)}\n${line(two[0])} | ${line(two[1])}\n`))
  })

  it('chooses among --targets', async () => {
    const { stdout } = await run([
      'fill-mask',
      'generator',
      masked[0] as string,
      '--targets',
      'sun',
      '--targets',
      'moon',
    ])
    expect(stdout).toMatch(/^(sun|moon) \d\.\d{4}, (sun|moon) \d\.\d{4}\n$/)
  })
})

describe('info', () => {
  it('tells what this build runs on', async () => {
    const { stdout } = await run(['info', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ node: process.version, platform: `linux-${process.arch}` })
    expect(JSON.parse(stdout).cuda).toMatch(/^cuda: expected a (build with CUDA kernels|CUDA driver)/)
    expect(JSON.parse(stdout)).toMatchObject({
      isa: expect.any(String),
      threads: expect.any(Number),
      memoryBytes: expect.any(Number),
    })
    const table = (await run(['info'])).stdout
    for (const name of ['version', 'node', 'isa', 'threads', 'memory'])
      expect(table).toMatch(new RegExp(`^${name} +\\S`, 'm'))
  })

  it('tells what models are, with the parameters that loading them gives', async () => {
    using t5 = await T5ForConditionalGeneration.fromPretrained(join(root, 't5'))
    using classifier = await ElectraForSequenceClassification.fromPretrained(join(root, 'classifier'))
    await classifier.savePretrained(join(root, 'half'), { dtype: 'float16' })
    const { stdout } = await run(['info', 't5', 'half', '--json'])
    expect(jsonLines(stdout)).toEqual([
      {
        folder: join(root, 't5'),
        architectures: ['T5ForConditionalGeneration'],
        modelType: 't5',
        parameters: t5.numParameters(),
        dtype: ['float32'],
        hasTokenizer: true,
        commands: ['generate'],
      },
      {
        folder: join(root, 'half'),
        architectures: ['ElectraForSequenceClassification'],
        modelType: 'electra',
        parameters: classifier.numParameters(),
        dtype: ['float16'],
        hasTokenizer: false,
        commands: ['classify'],
      },
    ])
    expect((await run(['info', 't5'])).stdout).toContain(`parameters     ${t5.numParameters().toLocaleString('en')}\n`)
  })
})

describe('failures: code 1 and one line that says what to do', () => {
  const long = 'a '.repeat(100)
  const cases: [args: string[], message: string][] = [
    [['generate', './nowhere', 'x'], 'expected a folder or a hub id, got nothing at ./nowhere'],
    [['generate', 'empty', 'x'], 'expected tokenizer.json in'],
    [['info', 'empty'], 'expected config.json in'],
    [['generate', 'generator', 'x'], 'expected model_type to be t5, mt5, umt5'],
    [['classify', 'classifier', '--file', 'nowhere.txt'], 'expected a file of texts, got: ENOENT'],
    [['classify', 'classifier', '--file', 'empty'], 'EISDIR'],
    [['classify', 'classifier', long], 'ElectraForSequenceClassification: expected'],
    [['fill-mask', 'generator', 'no mask'], 'expected a text with [MASK], got "no mask"'],
    [['detect', 'discriminator', 'x', '--threshold', '2'], 'expected threshold to be a number in [0, 1], got number 2'],
    [['classify', 'classifier', 'x', '--device', 'cuda'], 'cuda: expected a '],
  ]
  it.each(cases)('%j', async (args, message) => {
    mkdirSync(join(root, 'empty'), { recursive: true })
    const { code, stdout, stderr } = await run(args)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('a model without the head: no random output', async () => {
    const { code, stdout, stderr } = await run(['detect', 'generator', 'x'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('expected a model trained for replaced-token-detection in generator')
  })

  it('--truncation cuts what is too long', async () => {
    const [cut] = await classify([long], { truncation: true })
    const { stdout } = await run(['classify', 'classifier', '--truncation', long])
    expect(stdout).toBe(`${cut?.label} ${cut?.score.toFixed(4)}\n`)
  })

  it('in the middle of texts: what came before is printed', async () => {
    const { code, stdout, stderr } = await run([
      'classify',
      'classifier',
      '--batch-size',
      '1',
      texts[0] as string,
      long,
    ])
    expect([code, stdout.split('\n').length]).toEqual([1, 2])
    expect(stderr).toContain('Stopped after text 1.\n')
  })

  it('DUOFORMER_DEBUG=1 shows where', async () => {
    const { stderr } = await duoformer(['info', 'empty'], { cwd: root, env: { DUOFORMER_DEBUG: '1' } })
    expect(stderr).toMatch(/CheckpointError: .*\n +at /)
  })
})

describe('commands written wrong: code 2, before a model is loaded', () => {
  const cases: [args: string[], message: string][] = [
    [['generate'], 'expected MODEL, got no more arguments'],
    [['generate', './nowhere', 'x', '--max-token', '4'], 'got --max-token; did you mean --max-'],
    [['generate', './nowhere', 'x', '--temperature', '0'], 'expected temperature to be a number above 0, got number 0'],
    [['generate', './nowhere', 'x', '--top-p', '1.5'], 'expected topP to be a number in [0, 1], got number 1.5'],
    [
      ['generate', './nowhere', 'x', '--early-stopping', 'soon'],
      'expected --early-stopping to be true or false or never',
    ],
    [['generate', './nowhere', 'x', '--stream', '--json'], 'expected --stream or --json, got both'],
    [['generate', './nowhere', 'x', '--stream', '--num-beams', '2'], 'expected --stream without --num-beams'],
    [
      ['generate', './nowhere', 'x', '--stream', '--num-return-sequences', '2'],
      'expected --stream without --num-return',
    ],
    [['generate', './nowhere', 'x', '--file', 'texts.txt'], 'expected texts or --file, got both'],
    [
      ['classify', './nowhere', 'x', '--dtype', 'int8'],
      'expected --dtype to be float32 or float16 or bfloat16, got "int8"',
    ],
    [['classify', './nowhere', 'x', '--threads', '0'], 'expected --threads to be an integer >= 1, got "0"'],
  ]
  it.each(cases)('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
    expect(stderr).toContain(`duoformer ${args[0]} --help tells more.`)
  })
})

describe('SIGINT', () => {
  const stopping = 'duoformer: stopping; once more ends it at once\n'

  it('while standard input is awaited: code 130, with what was printed', async () => {
    const { child, ended, until } = start(['classify', 'classifier', '--batch-size', '1'], { cwd: root, input: null })
    child.stdin.write(`${texts[0]}\n`)
    await until('\n')
    child.kill('SIGINT')
    expect(await ended).toMatchObject({
      code: 130,
      stdout: expect.stringMatching(/^\w+ \d\.\d{4}\n$/),
      stderr: stopping,
    })
  })

  it('in the middle of a text', async () => {
    // No end token, so that the text has its full length.
    const args = [
      'generate',
      't5',
      '--stream',
      '--min-new-tokens',
      '100000',
      '--max-new-tokens',
      '100000',
      texts[0] as string,
    ]
    const { child, ended, until } = start(args, { cwd: root })
    await until(' ')
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 130, stderr: stopping })
  })

  it('while a pipe has no writer, and while nobody reads the output', async () => {
    execFileSync('mkfifo', ['in'], { cwd: root })
    const waiting = start(['classify', 'classifier', '--file', 'in'], { cwd: root })
    const writer = await open(join(root, 'in'), 'w')
    waiting.child.kill('SIGINT')
    expect((await waiting.ended).code).toBe(130)
    await writer.close()
    // More than pipes hold.
    writeFileSync(join(root, 'many.txt'), `${texts.join(' ')}\n`.repeat(4000))
    const args = [built, 'tokenizer', 'encode', 't5', '--json', '--file', 'many.txt']
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
    await once(child.stdout, 'readable')
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([130, null])
  })

  it('a second one ends a command that does not stop', async () => {
    const script = `
      import '${import.meta.resolve('tsx')}'
      const { main } = await import('${new URL('../../lib/cli/main.ts', import.meta.url)}')
      const { command, group } = await import('${new URL('../../lib/cli/command.ts', import.meta.url)}')
      const run = (_, console) => (console.note('deaf'), new Promise(() => setInterval(() => {}, 1000)))
      const deaf = command({ summary: '', details: '', positionals: { required: [], rest: null }, flags: {}, examples: [], run })
      main(['deaf'], group({ summary: '', commands: { deaf } }))`
    writeFileSync(join(root, 'deaf.mjs'), script)
    const { child, ended, until } = start([], { program: join(root, 'deaf.mjs'), cwd: root })
    await until('deaf')
    child.kill('SIGINT')
    await until('stopping')
    child.kill('SIGINT')
    expect(await ended).toEqual({ code: 130, stdout: '', stderr: `deaf\n${stopping}` })
  })
})

it('a reader that stops reading (| head) ends the program without a word', () => {
  const shell = `yes 'a good movie' | '${process.execPath}' '${built}' classify classifier | head -3; echo "\${PIPESTATUS[1]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', shell], { cwd: root, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^(\w+ \d\.\d{4}\n){3}0\n$/)
})
