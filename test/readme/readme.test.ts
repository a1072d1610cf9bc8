// The README's fenced blocks, run as they are written where its folders are: JavaScript by Node, shell by sh. What they
// print is compared with what the models' forward passes say.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { duoformer as program } from '../../lib/cli/commands/index.ts'
import {
  AutoTokenizer,
  ElectraForMaskedLM,
  ElectraForPreTraining,
  ElectraForSequenceClassification,
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

/** What a block prints. @param tells whether it tells on standard error how far it is. */
function run({ language, code }: (typeof blocks)[number], tells = false): string {
  const file = join(folder, `example.${language === 'js' ? 'mjs' : language}`)
  writeFileSync(file, code)
  const [command, ...args] = runners[language as string] as readonly [string, ...string[]]
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` }
  const { status, stdout, stderr } = spawnSync(command, [...args, file], { cwd: folder, env, encoding: 'utf8' })
  expect([status, tells ? '' : stderr], stderr).toEqual([0, ''])
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

test('fine-tuning: the best model is saved, scored and classifies', async () => {
  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const label = (from + i) % 2 ? 'good' : 'bad'
      return `the ${['old', 'new', 'very'][(from + i) % 3]} ${label} film ${from + i}\t${label}`
    })
  writeFileSync(join(folder, 'reviews.tsv'), `text\tlabel\n${rows(0, 64).join('\n')}\n`)
  writeFileSync(join(folder, 'held-out.tsv'), `text\tlabel\n${rows(100, 20).join('\n')}\n`)
  const [example, ...others] = blocksUnder('Fine-tuning')
  expect(others).toEqual([])
  const [saved, ...lines] = run(example!, true).trimEnd().split('\n')
  expect(saved).toMatch(/^saved: .*sentiment {2}\(held out: accuracy [01]\.\d{4}, /)
  const printed = lines.pop() as string
  expect(`saved: ./sentiment  (held out: ${lines.join(', ')})`).toBe(saved)
  const tokenizer = await AutoTokenizer.fromPretrained(join(folder, 'sentiment'))
  using model = await ElectraForSequenceClassification.fromPretrained(join(folder, 'sentiment'))
  expect(model.config.id2label).toEqual(['bad', 'good'])
  const { inputIds } = await tokenizer.encode('What a lovely film.')
  const [logits] = (await rowsOf(noGrad(() => model.forward({ inputIds: [[...inputIds]] })).logits)) as [Float32Array]
  const best = argmax(logits)
  const score = 1 / (1 + Math.exp((logits[1 - best] as number) - (logits[best] as number)))
  expect(printed).toMatch(new RegExp(`^${model.config.id2label[best]} 0\\.\\d{4}$`))
  expect(Math.abs(Number(printed.split(' ')[1]) - score)).toBeLessThan(0.51e-4)
})

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
    const run = ['Text to text', 'Masked words', 'Replaced words', 'Fine-tuning', 'Underneath'].flatMap(blocksUnder)
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
