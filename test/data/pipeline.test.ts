import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { data, Random, type Tokenizer, trainWordPiece } from '../../lib/index.ts'
import { expectResumable, valuesOf } from './streams.ts'

// From files to batches of both families, as pre-training reads them.

let root: string
let path: string
let tokenizer: Tokenizer
let vocabulary: data.ObjectiveVocabulary
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'pipeline-'))
  path = join(root, 'corpus.txt')
  const random = new Random(1)
  const words = ['low', 'tower', 'new', 'wide', 'is', 'the', 'of', 'and']
  const line = (n: number) => Array.from({ length: n }, () => words[random.below(words.length)]).join(' ')
  const document = () => Array.from({ length: 1 + random.below(6) }, () => line(1 + random.below(30))).join('\n')
  writeFileSync(path, Array.from({ length: 40 }, document).join('\n\n'))
  tokenizer = await trainWordPiece(words, { vocabSize: 80, minFrequency: 1 })
  const size = tokenizer.length
  // Word pieces have no sentinels of their own: ids beyond them serve here.
  const sentinelIds = Int32Array.from({ length: 100 }, (_, i) => size + 99 - i)
  vocabulary = { sentinelIds, eosTokenId: tokenizer.sepTokenId as number, vocabSize: size }
})
afterAll(() => rmSync(root, { recursive: true }))

it('T5: masking and copying, shuffled, packed, resumed at any batch', async () => {
  const cache = await data.cachedTokens(path, { tokenizer, cacheDir: join(root, 'cache'), unit: 'document' })
  const lengths = data.spanCorruptionLengths(64)
  const objective = data.mixObjectives([
    { objective: data.spanCorruption({ vocabulary }), weight: 1 },
    { objective: data.copying({ vocabulary, maxInputLength: 80 }), weight: 1 },
  ])
  const make = () =>
    data.prefetch(
      data
        .sample(cache, { seed: 7 })
        .through(data.segments({ segmentLength: lengths.segmentLength, documents: 8 }))
        .through(data.shuffle(20))
        .through(data.map(objective))
        .through(data.pack({ maxInputTokens: 512, maxTargetTokens: 256 })),
      2,
    )
  await expectResumable(make)
  const batches = await valuesOf(make())
  expect(batches.flat().length).toBeGreaterThan(10)
  for (const batch of batches) {
    const { attentionMask, decoderAttentionMask } = data.collateSeq2Seq(batch)
    const tokens = [attentionMask, decoderAttentionMask].map((mask) => mask.data.reduce((sum, bit) => sum + bit, 0))
    expect(tokens[0]).toBeLessThanOrEqual(512)
    expect(tokens[1]).toBeLessThanOrEqual(256)
  }
  await cache.close()
})

it('ELECTRA: segments of lines, masked anew each epoch, shared by ranks', async () => {
  const special = data.electraVocabulary(tokenizer)
  const make = async (rank: number, worldSize: number) =>
    (await data.readRows(path, { unit: 'document', epochs: 2, seed: 3 }))
      .through(data.shard({ rank, worldSize }))
      .through(data.column())
      .through(data.tokenizeLines(tokenizer))
      .through(data.flatMap(data.electraSegments({ vocabulary: special, maxLength: 48 })))
      .through(data.map(data.electraMasking({ vocabulary: special, maxLength: 48 })))
  const whole = await valuesOf(await make(0, 1))
  const parts = [await valuesOf(await make(0, 2)), await valuesOf(await make(1, 2))]
  const named = (examples: data.ElectraExample[]) => examples.map((example) => JSON.stringify(example)).sort()
  // What is made of a document depends on no rank.
  expect(named(parts.flat())).toEqual(named(whole))
  // Short ones may be the same by chance.
  const long = whole.filter(({ inputIds }) => inputIds.length > 20)
  expect(long.length).toBeGreaterThan(20)
  expect(new Set(named(long)).size).toBe(long.length)
  const streams = await Promise.all(Array.from({ length: whole.length + 4 }, () => make(1, 2)))
  await expectResumable(() => streams.pop() as data.Stream<data.ElectraExample>)
  for (const stream of streams) await stream.close()
})
