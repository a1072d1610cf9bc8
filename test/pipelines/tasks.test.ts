import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  ConfigError,
  DataError,
  device,
  type ElectraForMaskedLM,
  type ElectraForQuestionAnswering,
  type Features,
  pipeline,
} from '../../lib/index.ts'
import { type ModelName, modelNames, writeModel } from './folders.ts'

let root: string
const folder = (name: ModelName) => join(root, name)
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'pipelines-'))
  for (const name of modelNames) writeModel(folder(name), name)
})
afterAll(() => rmSync(root, { recursive: true }))

let before: number
beforeEach(() => {
  before = device().memory().tensors
})
afterEach(() => {
  vi.restoreAllMocks()
  expect(device().memory().tensors).toBe(before)
})

describe('text-classification', () => {
  it('T5 takes a batch in which a text spells the end token', async () => {
    using classify = await pipeline('text-classification', folder('t5_text'))
    const texts = ['the movie', 'good </s> film </s>', 'bad plot and story']
    const together = await classify(texts, { topK: null })
    for (const [i, text] of texts.entries()) {
      const alone = await classify(text, { topK: null })
      expect(together[i]?.map(({ label }) => label)).toEqual(alone.map(({ label }) => label))
      alone.forEach(({ score }, k) => {
        expect(together[i]?.[k]?.score).toBeCloseTo(score, 5)
      })
    }
  })
})

describe('offsets', () => {
  const text = '😀 Anna lives in Berlin 🌍, not in Paris'

  it('are UTF-16 units of the text', async () => {
    using entities = await pipeline('token-classification', folder('electra_entities'))
    using detect = await pipeline('replaced-token-detection', folder('electra_rtd'))
    using answer = await pipeline('question-answering', folder('electra_qa'))
    for (const { word, start, end } of await entities(text, { ignoreLabels: [] })) {
      expect(text.slice(start, end).toLowerCase()).toBe(word.replace(/^##/, ''))
    }
    const tokens = await detect(text)
    expect(tokens.map(({ start, end }) => text.slice(start, end)).join(' ')).toBe(
      '😀 Anna lives in Berlin 🌍 , not in Paris',
    )
    for (const found of await answer({ question: 'where?', context: text }, { topK: 5 })) {
      expect(text.slice(found.start, found.end)).toBe(found.answer)
      expect(found.answer).not.toBe('')
    }
  })
})

describe('question-answering', () => {
  const context = 'Anna lives in Berlin. Peter works in Paris and London. '.repeat(40)

  it('reads a context of many windows, a few at a time', async () => {
    using answer = await pipeline('question-answering', folder('electra_qa'))
    const forward = vi.spyOn(answer.model as ElectraForQuestionAnswering, 'forward')
    const found = await answer({ question: 'Where?', context }, { topK: 3, maxSeqLen: 24, docStride: 4 })
    expect(forward.mock.calls.length).toBeGreaterThan(2)
    expect(found).toHaveLength(3)
    for (const { start, end, answer: text } of found) expect(context.slice(start, end)).toBe(text)
  })

  it('computes no rows for padding', async () => {
    using answer = await pipeline('question-answering', folder('electra_qa'))
    const model = answer.model as ElectraForQuestionAnswering
    const pack = vi.spyOn(model.trunk, 'pack')
    await answer([
      { question: 'Where?', context: 'Berlin' },
      { question: 'Who lives in Paris?', context: 'Anna and Peter' },
    ])
    const [batch] = pack.mock.results.map(({ value }) => value as ReturnType<typeof model.trunk.pack>)
    // [CLS] where ? [SEP] berlin [SEP], and [CLS] who lives in paris ? [SEP] anna and peter [SEP]
    expect(batch?.rows.packing.rows).toBe(6 + 11)
  })

  it('cuts questions, and gives an empty answer where there is none', async () => {
    using answer = await pipeline('question-answering', folder('electra_qa'))
    const input = { question: 'Where does Anna live?', context: 'Berlin or Paris' }
    const cut = await answer(input, { maxQuestionLen: 1, topK: 2 })
    expect(cut).toEqual(await answer({ ...input, question: 'Where' }, { topK: 2 }))
    expect(await answer({ question: 'Where?', context: '  ' })).toEqual({ score: 0, start: 0, end: 0, answer: '' })
    expect(await answer({ question: 'Where?', context: '  ' }, { topK: 2 })).toEqual([])
  })
})

describe('fill-mask', () => {
  it('refuses texts without a mask, and targets without a token', async () => {
    using fill = await pipeline('fill-mask', folder('electra_mlm'))
    await expect(fill('Anna lives')).rejects.toThrow(/expected a text with \[MASK\], got "Anna lives"/)
    await expect(fill(['[MASK]', 'Anna'])).rejects.toThrow(DataError)
    await expect(fill('[MASK]', { targets: [] })).rejects.toThrow(ConfigError)
    await expect(fill('[MASK]', { targets: [' '] })).rejects.toThrow(/targets with a token each, got " "/)
  })

  it('takes the first token of a target, and computes logits of the masks alone', async () => {
    using fill = await pipeline('fill-mask', folder('electra_mlm'))
    const logits = vi.spyOn(fill.model as ElectraForMaskedLM, 'logits')
    const found = await fill(['The [MASK].', 'a [MASK] b [MASK]'], { targets: ['smithson', 'old', 'smith'] })
    expect(logits.mock.calls.map(([hidden]) => hidden.shape[0])).toEqual([3])
    expect(
      found[0]
        ?.flat()
        .map(({ tokenStr }) => tokenStr)
        .sort(),
    ).toEqual(['old', 'smith'])
  })
})

describe('feature-extraction', () => {
  it('pools and normalises', async () => {
    using extract = await pipeline('feature-extraction', folder('t5_features'))
    const all = await extract(['anna', 'anna lives in berlin'])
    for (const [i, text] of ['anna', 'anna lives in berlin'].entries()) {
      const { data, shape } = all[i] as Features
      const [tokens, width] = shape as [number, number]
      expect(tokens).toBe(text.split(' ').length + 1)
      const close = (got: Features, want: (column: number) => number) => {
        expect(got.shape).toEqual([width])
        got.data.forEach((x, column) => {
          expect(x).toBeCloseTo(want(column), 5)
        })
      }
      const mean = (column: number) => data.filter((_, at) => at % width === column).reduce((a, b) => a + b) / tokens
      const length = Math.hypot(...Array.from({ length: width }, (_, column) => mean(column)))
      close(await extract(text, { pooling: 'mean' }), mean)
      close(await extract(text, { pooling: 'mean', normalize: true }), (column) => mean(column) / length)
      close(await extract(text, { pooling: 'cls' }), (column) => data[column] as number)
    }
  })
})

describe('replaced-token-detection', () => {
  it('counts from the threshold on', async () => {
    using detect = await pipeline('replaced-token-detection', folder('electra_rtd'))
    const scores = (await detect('Anna lives in Berlin')).map(({ score }) => score)
    const threshold = [...scores].sort((a, b) => a - b)[2] as number
    const found = await detect('Anna lives in Berlin', { threshold })
    expect(found.map(({ replaced }) => replaced)).toEqual(scores.map((score) => score >= threshold))
    expect(found.filter(({ replaced }) => replaced)).toHaveLength(scores.length - 2)
  })
})

describe('text generation', () => {
  it('puts the prefix of the task before the text', async () => {
    using translate = await pipeline('translation', folder('t5_generate'))
    using generate = await pipeline('text2text-generation', folder('t5_generate'))
    const options = { maxNewTokens: 6, numBeams: 1 }
    const langs = { srcLang: 'en', tgtLang: 'fr' }
    const { translationText } = await translate('old', { ...options, ...langs })
    const { generatedText } = await generate('translate english to french: old', options)
    expect(translationText).toBe(generatedText)
    expect((await translate('old', { ...options, prefix: 'translate english to french: ' })).translationText).toBe(
      generatedText,
    )
    expect(await translate('old', { ...options, ...langs, prefix: '' })).toEqual(await translate('old', options))
    await expect(translate('old', { srcLang: 'en', tgtLang: 'it' })).rejects.toThrow(
      /has a prefix for \(en to de, en to fr\), or a prefix .*, got en to it/,
    )
    await expect(translate('old', { srcLang: 'en' })).rejects.toThrow(/got en to undefined/)
  })

  it('takes options over config.json, and a length in either unit', async () => {
    using summarize = await pipeline('summarization', folder('t5_generate'))
    const calls = vi.spyOn(summarize.model, 'generate')
    const optionsOf = async (options: Parameters<typeof summarize>[1]) => {
      calls.mockClear()
      await summarize('anna', options)
      return calls.mock.calls[0]?.[1] ?? {}
    }
    expect(await optionsOf({ maxLength: 5 })).toMatchObject({
      maxLength: 5,
      numBeams: 2,
      lengthPenalty: 2,
      minLength: 4,
    })
    expect(await optionsOf({ maxLength: 5 })).not.toHaveProperty('maxNewTokens')
    expect(await optionsOf({ maxNewTokens: 3, numBeams: 1 })).toMatchObject({ maxNewTokens: 3, numBeams: 1 })
    using generate = await pipeline('text2text-generation', summarize.model, { tokenizer: summarize.tokenizer })
    await generate('anna', { noRepeatNgramSize: 1 })
    expect(calls.mock.lastCall?.[1]).toMatchObject({ maxNewTokens: 256, numBeams: 4 })
    await generate('anna', { promptLookupNumTokens: 2, maxNewTokens: 3 })
    expect(calls.mock.lastCall?.[1]).not.toHaveProperty('numBeams')
  })

  it('stops at strings, with the tokenizer of the pipeline', async () => {
    using generate = await pipeline('text2text-generation', folder('t5_generate'))
    const options = { numBeams: 1, maxNewTokens: 30 }
    const { generatedText } = await generate('anna lives', options)
    const stop = generatedText.split(' ').findLast((word) => word !== '') as string
    const stopped = await generate('anna lives', { ...options, stopStrings: [stop] })
    expect(stopped.generatedText).toBe(generatedText.slice(0, generatedText.indexOf(stop) + stop.length))
    const beams = await generate('anna lives', { numBeams: 3, maxNewTokens: 30, stopStrings: stop })
    expect(beams.generatedText.split(stop).length).toBeLessThanOrEqual(2)
  })

  it('streams the text that it would give at once', async () => {
    using generate = await pipeline('text2text-generation', folder('t5_generate'))
    using summarize = await pipeline('summarization', folder('t5_generate'))
    const inPieces = async (stream: AsyncIterable<string>) => {
      const pieces: string[] = []
      for await (const piece of stream) pieces.push(piece)
      expect(pieces.length).toBeGreaterThan(1)
      return pieces.join('')
    }
    const [text, options] = ['anna lives in berlin', { maxNewTokens: 20 }]
    const { generatedText } = await generate(text, { ...options, numBeams: 1 })
    expect(await inPieces(generate.stream(text, options))).toBe(generatedText)
    const { summaryText } = await summarize(text, { ...options, numBeams: 1 })
    expect(await inPieces(summarize.stream(text, options))).toBe(summaryText)
    const held = device().memory().tensors
    for await (const _ of generate.stream('anna', { maxNewTokens: 40 })) break
    expect(device().memory().tensors).toBe(held)
    await expect(generate.stream('anna', { numBeams: 2 }).next()).rejects.toThrow(/numBeams 1, got 2/)
    await expect(generate.stream('anna', { numReturnSequences: 2 } as never).next()).rejects.toThrow(ConfigError)
    await expect(generate.stream('anna', { cleanUpTokenizationSpaces: true } as never).next()).rejects.toThrow(
      /known option, got "cleanUpTokenizationSpaces"/,
    )
    await expect(generate.stream('').next()).rejects.toThrow(DataError)
  })
})
