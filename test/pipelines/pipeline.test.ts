import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import {
  type Answer,
  AutoTokenizer,
  CheckpointError,
  ConfigError,
  DataError,
  DTypeError,
  device,
  ElectraForMaskedLM,
  ElectraForSequenceClassification,
  type Entity,
  type EntityGroup,
  type GeneratedText,
  pipeline,
  ShapeError,
  StateError,
  type T5ForConditionalGeneration,
  type TextClass,
} from '../../lib/index.ts'
import { type ModelName, modelNames, writeModel } from './folders.ts'

let root: string
const folder = (name: ModelName) => join(root, name)
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'pipelines-'))
  for (const name of modelNames) writeModel(folder(name), name)
})
afterAll(() => rmSync(root, { recursive: true }))

const tensors = () => device().memory().tensors
let before: number
beforeEach(() => {
  before = tensors()
})
afterEach(() => {
  vi.restoreAllMocks()
  expect(tensors()).toBe(before)
})

const texts = ['The movie was very good.', 'bad', 'Anna lives in Berlin, in the old tower.', 'Where?', 'new film']

describe('inputs', () => {
  it('one gives one result, an array gives an array, batched or not', async () => {
    using classify = await pipeline('text-classification', folder('electra_text'))
    const single: TextClass[] = []
    for (const text of texts) single.push(await classify(text))
    const forward = vi.spyOn(classify.model as ElectraForSequenceClassification, 'forward')
    const together = await classify(texts)
    expect(forward).toHaveBeenCalledTimes(1)
    const apart = await classify(texts, { batchSize: 2 })
    expect(forward).toHaveBeenCalledTimes(4)
    for (const results of [together, apart]) {
      expect(results.map(({ label }) => label)).toEqual(single.map(({ label }) => label))
      results.forEach(({ score }, i) => {
        expect(score).toBeCloseTo(single[i]?.score as number, 5)
      })
    }
    expect(await classify([])).toEqual([])
  })

  it('an iterable gives results as they are ready, in order', async () => {
    using classify = await pipeline('text-classification', folder('electra_text'), { batchSize: 2 })
    const expected = await classify(texts, { topK: 2 })
    const read: string[] = []
    async function* source() {
      for (const text of texts) {
        await setTimeout(1)
        read.push(text)
        yield text
      }
    }
    const results: TextClass[][] = []
    for await (const result of classify(source(), { topK: 2 })) {
      if (results.length === 0) expect(read).toHaveLength(2)
      results.push(result)
    }
    expect(results).toEqual(expected)
    const fromSet: TextClass[][] = []
    for await (const result of classify(new Set(texts), { topK: 2 })) fromSet.push(result)
    expect(fromSet).toEqual(expected)
  })

  it('a consumer that stops closes the source', async () => {
    using classify = await pipeline('text-classification', folder('electra_text'), { batchSize: 1 })
    let closed = false
    function* source() {
      try {
        yield* texts
      } finally {
        closed = true
      }
    }
    for await (const _ of classify(source())) break
    expect(closed).toBe(true)
  })

  it('batches of all tasks give what each input gives', async () => {
    using entities = await pipeline('token-classification', folder('electra_entities'))
    using answer = await pipeline('question-answering', folder('t5_qa'))
    using fill = await pipeline('fill-mask', folder('electra_mlm'))
    using detect = await pipeline('replaced-token-detection', folder('electra_rtd'))
    using generate = await pipeline('text2text-generation', folder('t5_generate'))
    const rounded = (value: unknown) =>
      JSON.parse(JSON.stringify(value, (_, x) => (typeof x === 'number' ? Number(x.toFixed(5)) : x)))
    const questions = texts.map((context) => ({ question: 'who lives?', context }))
    const masked = texts.map((text) => `[MASK] ${text}`)
    const options = { ignoreLabels: [], aggregationStrategy: 'average' } as const
    const alone = [
      await Promise.all(texts.map((text) => entities(text, options))),
      await Promise.all(questions.map((input) => answer(input, { topK: 2 }))),
      await Promise.all(masked.map((text) => fill(text, { topK: 2 }))),
      await Promise.all(texts.map((text) => detect(text))),
      await Promise.all(texts.map((text) => generate(text, { maxNewTokens: 8 }))),
    ]
    const together = [
      await entities(texts, options),
      await answer(questions, { topK: 2 }),
      await fill(masked, { topK: 2 }),
      await detect(texts),
      await generate(texts, { maxNewTokens: 8 }),
    ]
    expect(rounded(together)).toEqual(rounded(alone))
  })

  it('that are not texts, or empty, are refused before anything is computed', async () => {
    using classify = await pipeline('text-classification', folder('electra_text'))
    using answer = await pipeline('question-answering', folder('electra_qa'))
    const forward = vi.spyOn(classify.model as ElectraForSequenceClassification, 'forward')
    await expect(classify('')).rejects.toThrow(DataError)
    await expect(classify(['fine', ''])).rejects.toThrow(/expected a text that is not empty/)
    await expect(classify(3 as never)).rejects.toThrow(DTypeError)
    await expect(classify(null as never)).rejects.toThrow(/expected a text, or \{ text, textPair \}, got null/)
    await expect(classify(['fine', 3 as never])).rejects.toThrow(DTypeError)
    await expect(classify({ text: 'a', textPair: '' })).rejects.toThrow(/expected textPair that is not empty/)
    const failing = classify(new Set(['fine', 3 as never]))
    await expect(failing.next()).rejects.toThrow(DTypeError)
    await expect(answer('where?' as never)).rejects.toThrow(/expected \{ question, context \}, got string/)
    await expect(answer({ question: 'where?', context: '' })).rejects.toThrow(/context that is not empty/)
    expect(forward).not.toHaveBeenCalled()
  })
})

describe('models', () => {
  it('of the pipeline go with it, others stay', async () => {
    const classify = await pipeline('text-classification', folder('electra_text'))
    expect(tensors()).toBeGreaterThan(before)
    classify.dispose()
    expect(tensors()).toBe(before)
    await expect(classify('The')).rejects.toThrow(StateError)
    await expect(classify(['The'])).rejects.toThrow(/not disposed of/)
    await expect(classify(new Set(['The'])).next()).rejects.toThrow(StateError)

    using model = await ElectraForSequenceClassification.fromPretrained(folder('electra_text'))
    const tokenizer = await AutoTokenizer.fromPretrained(folder('electra_text'))
    {
      using borrowed = await pipeline('text-classification', model, { tokenizer })
      expect(borrowed.model).toBe(model)
      expect(borrowed.tokenizer).toBe(tokenizer)
      expect(borrowed.task).toBe('text-classification')
    }
    expect(model.parameters()[0]?.disposed).toBe(false)
    using again = await pipeline('text-classification', model, { tokenizer: folder('electra_text') })
    expect((await again('good')).label).toEqual(expect.any(String))
  })

  it('in training are evaluated without dropout, and go on as they were', async () => {
    using model = await ElectraForSequenceClassification.fromPretrained(folder('electra_text'))
    const tokenizer = await AutoTokenizer.fromPretrained(folder('electra_text'))
    using classify = await pipeline('text-classification', model, { tokenizer })
    const expected = await classify('The movie')
    model.train()
    expect(await classify('The movie')).toEqual(expected)
    expect(model.training).toBe(true)
  })

  it('that cannot do the task are refused, and leave nothing behind', async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(folder('electra_mlm'))
    using model = await ElectraForMaskedLM.fromPretrained(folder('electra_mlm'))
    await expect(pipeline('text-classification', model as never, { tokenizer })).rejects.toThrow(
      /model of T5ForSequenceClassification or ElectraForSequenceClassification .*, got ElectraForMaskedLM/,
    )
    await expect(pipeline('fill-mask', model)).rejects.toThrow(/expected options\.tokenizer/)
    await expect(pipeline('fill-mask', model, { tokenizer: 3 as never })).rejects.toThrow(ConfigError)
    await expect(pipeline('sentiment-analysis' as never, folder('electra_text'))).rejects.toThrow(
      /expected a task of text2text-generation, .*, got string "sentiment-analysis"/,
    )
    const loaded = tensors()
    vi.spyOn(process, 'emitWarning').mockReturnValue()
    await expect(pipeline('text-classification', folder('electra_features'))).rejects.toThrow(CheckpointError)
    await expect(pipeline('text-classification', folder('electra_mlm'))).rejects.toThrow(
      /without classifier.*fine-tune/,
    )
    await expect(pipeline('fill-mask', folder('t5_generate'))).rejects.toThrow(/model_type to be electra/)
    await expect(pipeline('replaced-token-detection', folder('t5_generate'))).rejects.toThrow(ConfigError)
    await expect(pipeline('summarization', folder('electra_mlm'))).rejects.toThrow(/model_type to be t5/)
    const bare = join(root, 'bare')
    cpSync(folder('electra_text'), bare, { recursive: true })
    rmSync(join(bare, 'tokenizer.json'))
    await expect(pipeline('text-classification', bare)).rejects.toThrow(/expected tokenizer\.json/)
    await expect(pipeline('text-classification', join(root, 'none'))).rejects.toThrow(/a folder or a hub id/)
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(pipeline('text-classification', folder('electra_text'), { signal: aborted })).rejects.toThrow('enough')
    expect(tensors()).toBe(loaded)
  })
})

describe('options', () => {
  it('that are unknown or out of range are refused', async () => {
    using classify = await pipeline('text-classification', folder('electra_text'))
    using entities = await pipeline('token-classification', folder('electra_entities'))
    using answer = await pipeline('question-answering', folder('electra_qa'))
    using detect = await pipeline('replaced-token-detection', folder('electra_rtd'))
    using generate = await pipeline('text2text-generation', folder('t5_generate'))
    await expect(classify('good', { top_k: 2 } as never)).rejects.toThrow(/expected options topK, .*, got top_k/)
    await expect(classify('good', { topK: 0 })).rejects.toThrow(/topK to be an integer >= 1 or null, got number 0/)
    await expect(classify('good', { functionToApply: 'tanh' as never })).rejects.toThrow(ConfigError)
    await expect(classify('good', { batchSize: 0 })).rejects.toThrow(/batchSize to be an integer >= 1/)
    await expect(classify('good', { signal: 1 as never })).rejects.toThrow(/signal to be an AbortSignal/)
    await expect(classify('good', { maxLength: 4 })).rejects.toThrow(/expected truncation/)
    await expect(entities('Anna', { stride: 2 })).rejects.toThrow(/expected an aggregationStrategy with stride/)
    await expect(answer({ question: 'a', context: 'b' }, { docStride: 50, maxSeqLen: 20 })).rejects.toThrow(
      /docStride of at most maxSeqLen, 20, got 50/,
    )
    await expect(detect('Anna', { threshold: 2 })).rejects.toThrow(/threshold to be a number in \[0, 1\]/)
    await expect(generate('Anna', { numBeam: 2 } as never)).rejects.toThrow(/known option, got "numBeam"/)
    await expect(generate('Anna', { prefix: 1 as never })).rejects.toThrow(/prefix to be a text/)
    await expect(pipeline('fill-mask', folder('electra_mlm'), { batchSize: 0.5 })).rejects.toThrow(ConfigError)
  })

  it('cut texts that are too long, which the model refuses', async () => {
    const long = 'the movie '.repeat(40)
    using classify = await pipeline('text-classification', folder('electra_text'))
    await expect(classify(long)).rejects.toThrow(ShapeError)
    expect(await classify(long, { truncation: true })).toEqual(await classify('the movie '.repeat(23)))
  })
})

describe('signals', () => {
  it('end calls, which leave nothing behind', async () => {
    using classify = await pipeline('text-classification', folder('electra_text'), { batchSize: 1 })
    // What the model keeps for inference is made at the first call, which an abort may or may not let it come to.
    await classify(texts)
    const reason = new Error('enough')
    await expect(classify('good', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const results = classify(texts, { signal: controller.signal })
    await setTimeout(0)
    controller.abort(reason)
    await expect(results).rejects.toBe(reason)
    const held = tensors()
    const stopping = new AbortController()
    const each = classify(new Set(texts), { signal: stopping.signal })
    await each.next()
    stopping.abort(reason)
    await expect(each.next()).rejects.toBe(reason)
    expect(tensors()).toBe(held)
  })

  it('end generation and streams', async () => {
    using generate = await pipeline('text2text-generation', folder('t5_generate'))
    // What the model keeps for steps of a row is made at the first.
    await generate('Anna', { maxNewTokens: 2, numBeams: 1 })
    const held = tensors()
    const controller = new AbortController()
    const reason = new Error('enough')
    const stoppingCriterion = (ids: Int32Array) => {
      if (ids.length === 4) controller.abort(reason)
      return false
    }
    const options = { signal: controller.signal, maxNewTokens: 40, numBeams: 1 }
    await expect(generate('Anna', { ...options, stoppingCriterion })).rejects.toBe(reason)
    await expect(generate.stream('Anna', options).next()).rejects.toBe(reason)
    expect(tensors()).toBe(held)
  })
})

describe('types', () => {
  it('follow task and options', async () => {
    using classify = await pipeline('text-classification', folder('electra_text'))
    using entities = await pipeline('token-classification', folder('electra_entities'))
    using generate = await pipeline('text2text-generation', folder('t5_generate'))
    expectTypeOf(await classify('a')).toEqualTypeOf<TextClass>()
    expectTypeOf(await classify('a', { topK: null })).toEqualTypeOf<TextClass[]>()
    expectTypeOf(await classify(['a'], { functionToApply: 'none' })).toEqualTypeOf<TextClass[]>()
    expectTypeOf(classify(new Set(['a']), { topK: 2 })).toEqualTypeOf<AsyncGenerator<TextClass[], void>>()
    expectTypeOf(await entities('a')).toEqualTypeOf<Entity[]>()
    expectTypeOf(await entities('a', { aggregationStrategy: 'none' })).toEqualTypeOf<Entity[]>()
    expectTypeOf(await entities('a', { aggregationStrategy: 'max' })).toEqualTypeOf<EntityGroup[]>()
    expectTypeOf(await generate('a', { maxNewTokens: 1 })).toEqualTypeOf<GeneratedText>()
    expectTypeOf(await generate('a', { maxNewTokens: 1, numReturnSequences: 2 })).toEqualTypeOf<GeneratedText[]>()
    expectTypeOf(generate.model).toEqualTypeOf<T5ForConditionalGeneration>()
    expectTypeOf<Answer>().toHaveProperty('answer')
    // @ts-expect-error an option of another task
    await expect(classify('a', { threshold: 1 })).rejects.toThrow(ConfigError)
    // @ts-expect-error classifiers do not stream
    expect(classify.stream).toBeUndefined()
  })
})
