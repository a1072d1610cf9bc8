// Hugging Face tokenizers load what was trained and apply it identically: as far as was recorded from them, and on many
// more texts where Python has transformers.
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Tokenizer, trainUnigram, trainWordPiece } from '../../lib/index.ts'
import { corpus, randomTexts } from './corpus.ts'

interface Result {
  readonly ids: readonly number[]
  /** Start and end of each token, in code points. */
  readonly offsets: readonly (readonly [number, number])[]
  /** With special tokens and without. */
  readonly decoded: readonly [string, string]
}

interface Recorded {
  readonly texts: readonly string[]
  /** By tokenizer, in the order of `trained`. */
  readonly results: readonly (readonly Omit<Result, 'offsets'>[])[]
}

const path = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url))
const recorded = JSON.parse(readFileSync(path('tokenizers/ids.json'), 'utf8')) as Recorded

const python = process.env.DUOFORMER_PYTHON ?? 'python3'
const hasTransformers = spawnSync(python, ['-c', 'import transformers']).status === 0

const names = ['WordPiece', 'Unigram', 'Unigram with bytes']
let trained: readonly Tokenizer[]
beforeAll(async () => {
  trained = [
    await trainWordPiece(corpus, { vocabSize: 400 }),
    await trainUnigram(corpus, { vocabSize: 400, extraIds: 10 }),
    await trainUnigram(corpus, { vocabSize: 600, extraIds: 10, byteFallback: true }),
  ]
})

async function resultOf(tokenizer: Tokenizer, text: string): Promise<Result> {
  const { inputIds, offsets } = await tokenizer.encode(text)
  const codePoints = Array.from(offsets, (unit) => [...text.slice(0, unit)].length)
  return {
    ids: [...inputIds],
    offsets: Array.from(inputIds, (_, i) => [codePoints[2 * i] as number, codePoints[2 * i + 1] as number]),
    decoded: [await tokenizer.decode(inputIds), await tokenizer.decode(inputIds, { skipSpecialTokens: true })],
  }
}

it.each([...names.entries()])('%i %s: as recorded', async (which) => {
  const got = await Promise.all(recorded.texts.map((text) => resultOf(trained[which] as Tokenizer, text)))
  expect(got).toMatchObject(recorded.results[which] as object)
  expect(got.length).toBeGreaterThan(10)
})

describe.skipIf(!hasTransformers)('Hugging Face', () => {
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'tokenizers-python-'))
  })
  afterAll(() => rmSync(root, { recursive: true }))

  it('has the same ids, offsets and texts for 1000 strings', async () => {
    const texts = [...recorded.texts, ...randomTexts(1000, 7)]
    const list = join(root, 'texts.json')
    writeFileSync(list, JSON.stringify(texts))
    const folders = names.map((name) => join(root, name))
    await Promise.all(trained.map((tokenizer, i) => tokenizer.savePretrained(folders[i] as string)))
    const args = [path('tokenizer_ids.py'), list, ...folders]
    const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 2 ** 28 })
    const wanted = JSON.parse(stdout) as Result[][]
    for (const [which, tokenizer] of trained.entries()) {
      for (const [i, text] of texts.entries()) {
        expect(await resultOf(tokenizer, text), `${names[which]} ${JSON.stringify(text)}`).toEqual(wanted[which]?.[i])
      }
    }
  }, 120_000)
})
