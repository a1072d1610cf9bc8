// The README's fenced blocks, run as they are written where its folders are: JavaScript by Node, shell by sh. What they
// print is compared with what the models' forward passes say.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { duoformer as program } from '../../lib/cli/commands/index.ts'
import {
  AutoTokenizer,
  ElectraForMaskedLM,
  ElectraForPreTraining,
  noGrad,
  type PreTrainedModel,
  parseElectraConfig,
  parseT5Config,
  T5ForConditionalGeneration,
  type Tensor,
  type Tokenizer,
} from '../../lib/index.ts'
import { writeUnigram, writeWordPiece } from '../pipelines/tokenizers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language, code]) => ({
  language,
  code: code as string,
}))

/** The blocks under a heading that begins with these words. */
function blocksUnder(heading: string): typeof blocks {
  const [, section = ''] = readme.split(new RegExp(`^## ${heading}.*\n`, 'm'))
  const own = section.split(/^## /m)[0] as string
  return blocks.filter(({ code }) => own.includes(code))
}

// Below the checkout, where the package finds itself by its own name.
let folder: string
beforeAll(() => {
  mkdirSync(join(root, 'build'), { recursive: true })
  folder = mkdtempSync(join(root, 'build', 'readme-'))
  mkdirSync(join(folder, 'bin'))
  const program = join(root, 'dist', 'cli', 'bin.js')
  writeFileSync(join(folder, 'bin', 'duoformer'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
  chmodSync(join(folder, 'bin', 'duoformer'), 0o755)
})
afterAll(() => rmSync(folder, { recursive: true }))

const runners: Readonly<Record<string, readonly [string, ...string[]]>> = {
  js: [process.execPath],
  ts: [process.execPath, '--import', 'tsx'],
  sh: ['sh', '-eu'],
}

/** What a block prints. */
function run({ language, code }: (typeof blocks)[number]): string {
  const file = join(folder, `example.${language === 'js' ? 'mjs' : language}`)
  writeFileSync(file, code)
  const [command, ...args] = runners[language as string] as readonly [string, ...string[]]
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` }
  const { status, stdout, stderr } = spawnSync(command, [...args, file], { cwd: folder, env, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

type Rows = Float32Array[]

/** The rows of (1, T, V) logits, or of (1, T) as one row. */
async function rowsOf(logits: Tensor | null): Promise<Rows> {
  if (!logits) throw new Error('expected logits, got none')
  const data = (await logits.data()) as Float32Array
  const width = logits.shape.at(-1) as number
  logits.dispose()
  return Array.from({ length: data.length / width }, (_, i) => data.subarray(i * width, (i + 1) * width))
}

function argmax(row: Float32Array): number {
  return row.indexOf(Math.max(...row))
}

/** Makes models with other random weights until one gives something to see, and saves it. */
async function makeModel<M extends PreTrainedModel<{ json: Readonly<Record<string, unknown>> }>, R>(
  dir: string,
  make: (seed: number) => M,
  evaluate: (model: M, tokenizer: Tokenizer) => Promise<R>,
  isTelling: (result: R) => boolean,
): Promise<R> {
  const tokenizer = await AutoTokenizer.fromPretrained(dir)
  for (let seed = 0; seed < 100; seed++) {
    using model: M = make(seed).eval()
    const result = await evaluate(model, tokenizer)
    if (!isTelling(result)) continue
    await model.savePretrained(dir)
    return result
  }
  throw new Error(`expected a telling model for ${dir}, got none of 100`)
}

const electra = {
  model_type: 'electra',
  embedding_size: 16,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
}

test('T5: the library, the pipeline and the command print what the forward pass makes word by word', async () => {
  const dir = join(folder, 't5-small')
  const size = writeUnigram(dir, 512)
  const config = {
    d_model: 16,
    d_kv: 8,
    d_ff: 32,
    num_layers: 2,
    num_heads: 2,
    vocab_size: size,
    tie_word_embeddings: false,
  }
  const text = await makeModel(
    dir,
    (seed) => new T5ForConditionalGeneration(parseT5Config({ model_type: 't5', ...config }), { seed }),
    async (model, tokenizer) => {
      const inputIds = [[...(await tokenizer.encode('Hello, how are you?')).inputIds]]
      const ids = [model.config.decoderStartTokenId]
      while (ids.length <= 20 && ids.at(-1) !== model.config.eosTokenId) {
        const { logits } = noGrad(() => model.forward({ inputIds, decoderInputIds: [ids] }))
        ids.push(argmax((await rowsOf(logits)).at(-1) as Float32Array))
      }
      return tokenizer.decode(ids, { skipSpecialTokens: true })
    },
    (text) => new Set(text.split(' ')).size > 3,
  )
  const examples = blocksUnder('Text to text')
  expect(examples.map(({ language }) => language)).toEqual(['js', 'js', 'sh'])
  for (const example of examples) expect(run(example)).toBe(`${text}\n`)
})

test('masked words: all three print the words with the largest logits', async () => {
  const dir = join(folder, 'electra-small-generator')
  const config = { ...electra, vocab_size: writeWordPiece(dir, 512), initializer_range: 0.3 }
  const best = await makeModel(
    dir,
    (seed) => new ElectraForMaskedLM(parseElectraConfig(config), { seed }),
    async (model, tokenizer) => {
      const { inputIds } = await tokenizer.encode('Hello, how are [MASK]?')
      const rows = await rowsOf(noGrad(() => model.forward({ inputIds: [[...inputIds]] })).logits)
      const logits = rows[inputIds.indexOf(tokenizer.maskTokenId as number)] as Float32Array
      const largest = Math.max(...logits)
      const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0)
      const ids = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number)).slice(0, 3)
      const words = await tokenizer.batchDecode(ids.map((id) => [id]))
      return words.map((word, i) => ({ word, score: Math.exp((logits[ids[i] as number] as number) - largest) / sum }))
    },
    // Far enough apart that four digits tell them apart.
    ([first, second, third]) => first!.score - second!.score > 0.01 && second!.score - third!.score > 0.01,
  )
  const words = best.map(({ word }) => word)
  const [library, pipeline, command, ...others] = blocksUnder('Masked words')
  expect(others).toEqual([])
  expect(run(library!)).toBe(`${words[0]}\n`)
  expect(run(pipeline!)).toBe(`${inspect(words)}\n`)
  const printed = run(command!)
    .trim()
    .split(', ')
    .map((part) => part.split(' '))
  expect(printed.map(([word]) => word)).toEqual(words)
  // Four digits are printed.
  printed.forEach(([, score], i) => {
    expect(Math.abs(Number(score) - best[i]!.score)).toBeLessThan(0.51e-4)
  })
})

test('replaced words: all three point at the tokens with positive logits', async () => {
  const dir = join(folder, 'electra-small-discriminator')
  const text = 'The chef drove the meal.'
  const config = { ...electra, vocab_size: writeWordPiece(dir, 512), initializer_range: 0.3 }
  const tokens = await makeModel(
    dir,
    (seed) => new ElectraForPreTraining(parseElectraConfig(config), { seed }),
    async (model, tokenizer) => {
      const { inputIds, tokens, specialTokensMask, offsets } = await tokenizer.encode(text)
      const [logits] = (await rowsOf(noGrad(() => model.forward({ inputIds: [[...inputIds]] })).logits)) as [
        Float32Array,
      ]
      const all = tokens.map((token, i) => ({ token, logit: logits[i] as number, start: offsets[2 * i] as number }))
      return all.filter((_, i) => !specialTokensMask[i])
    },
    (all) => all.filter(({ logit }) => logit > 0).length === 3 && all.every(({ logit }) => Math.abs(logit) > 1e-3),
  )
  const replaced = tokens.filter(({ logit }) => logit > 0)
  const [library, pipeline, command, ...others] = blocksUnder('Replaced words')
  expect(others).toEqual([])
  for (const example of [library!, pipeline!])
    expect(run(example)).toBe(`${inspect(replaced.map(({ token }) => token))}\n`)
  const printed = run(command!)
  const marks = [...printed.matchAll(/\[(\S+) (\d\.\d{4})\]/g)]
  expect(printed.replaceAll(/\[(\S+) \d\.\d{4}\]/g, '$1')).toBe(`${text}\n`)
  const words = [...text.matchAll(/\w+|\S/g)].map(({ 0: word, index }) => {
    const logits = tokens.filter(({ start }) => start >= index && start < index + word.length).map(({ logit }) => logit)
    return { word, logit: Math.max(...logits) }
  })
  const suspicious = words.filter(({ logit }) => logit > 0)
  expect(marks.map(([, word]) => word)).toEqual(suspicious.map(({ word }) => word))
  marks.forEach(([, , score], i) => {
    expect(Math.abs(Number(score) - 1 / (1 + Math.exp(-suspicious[i]!.logit)))).toBeLessThan(0.51e-4)
  })
})

test('training: the commands leave models and scores, the library a loss that falls', { timeout: 120_000 }, () => {
  const mood = ['the sun is bright', 'the rain is cold']
  const corpus = Array.from({ length: 30 }, (_, i) => `${mood[i % 2]} and the river ${i} is near the old tower.`)
  for (const name of ['corpus.txt', 'heldout.txt']) writeFileSync(join(folder, name), corpus.join('\n\n'))
  const rows = corpus.map((text, i) => `${text}\t${i % 2 ? 'low' : 'high'}`)
  writeFileSync(join(folder, 'mood.tsv'), ['text\tlabel', ...rows].join('\n'))
  const [commands, config, library, ...others] = blocksUnder('Training')
  expect(others).toEqual([])
  writeFileSync(join(folder, 't5.yaml'), config!.code)
  const { stdout, scores } = runTraining(commands!)
  expect(stdout).toContain('saved: runs/electra/discriminator and runs/electra/generator\n')
  expect(stdout).toContain('saved: runs/t5\n')
  expect(scores).toHaveLength(3)
  for (const file of ['run.json', 'report.html', 'log.jsonl', 'tensorboard', 'checkpoints']) {
    expect(readdirSync(join(folder, 'runs', 'mood'))).toContain(file)
  }
  const losses = run(library!).trim().split('\n')
  expect(losses.map((line) => line.split(' ')[0])).toEqual(['10', '20', '30'])
  expect(Number(losses[2]!.split(' ')[1])).toBeLessThan(Number(losses[0]!.split(' ')[1]))
})

/** Runs commands that show progress beside what they print. */
function runTraining({ code }: (typeof blocks)[number]): { stdout: string; scores: string[] } {
  writeFileSync(join(folder, 'training.sh'), code)
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` }
  const { status, stdout, stderr } = spawnSync('sh', ['-eu', 'training.sh'], { cwd: folder, env, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, expect.stringContaining('done at step 20')])
  return { stdout, scores: stdout.match(/^\w+ -?[01]\.\d{4}$/gm) ?? [] }
}

test('tensors: the example prints a loss and a gradient', () => {
  const [example, ...others] = blocksUnder('Underneath')
  expect(others).toEqual([])
  const [loss, ...gradient] = [...run(example!).matchAll(/-?\d+\.\d+(?:e-?\d+)?/g)].map((match) => Number(match[0]))
  expect(loss).toBeGreaterThan(0)
  expect(gradient).toHaveLength(4)
  // Logits' gradients of a row sum to zero, and so do the two columns of dW.
  expect((gradient[0] as number) + (gradient[1] as number)).toBeCloseTo(0, 5)
})

describe('what the README names exists', () => {
  test('every block is one that was run', () => {
    const run = ['Text to text', 'Masked words', 'Replaced words', 'Training', 'Underneath'].flatMap(blocksUnder)
    expect(run).toEqual(blocks)
  })

  test('scripts', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
    for (const [, name] of readme.matchAll(/`npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(name)
  })

  test('commands, and no other', () => {
    const named = new Set([...readme.matchAll(/`duoformer ([a-z-]+)/g)].map(([, name]) => name))
    expect([...named].sort()).toEqual(Object.keys(program.commands).sort())
  })
})
