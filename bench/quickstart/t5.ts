// T5: fills masked spans and copies marked ones, then answers in words what era and party a passage is of.
import type { Console } from '../../lib/cli/console.ts'
import {
  AutoTokenizer,
  data,
  optim,
  parseT5Config,
  T5ForConditionalGeneration,
  type Tokenizer,
  type tasks,
  train,
  trainUnigram,
} from '../../lib/index.ts'
import type { Address, Passage } from './sotu.ts'
import { trainWith } from './training.ts'

const sizes = {
  model_type: 't5',
  d_model: 128,
  d_kv: 32,
  d_ff: 384,
  num_layers: 2,
  num_decoder_layers: 2,
  num_heads: 4,
  feed_forward_proj: 'gated-gelu',
  dropout_rate: 0,
}
const maxLength = 128
const pretraining = { batchSize: 16, steps: 450, lr: 1e-2 }
const fineTuning = { batchSize: 16, epochs: 2, lr: 5e-3 }

export interface PretrainedT5 {
  readonly tokenizer: Tokenizer
  readonly curves: train.RunCurves
}

export async function pretrainT5(corpus: readonly Address[], folder: string, console: Console): Promise<PretrainedT5> {
  console.note('T5: learning a Unigram vocabulary')
  const tokenizer = await trainUnigram(
    corpus.flatMap(({ sentences }) => sentences),
    { vocabSize: 4000, modelMaxLength: maxLength, seedSize: 100_000, signal: console.signal },
  )
  const texts = data.datasetOf(corpus.map(({ sentences }) => sentences.join(' ')))
  const tokenized: Int32Array[] = []
  for await (const ids of data.sample(texts, { epochs: 1, shuffle: false }).through(data.tokenize(tokenizer))) {
    tokenized.push(ids)
  }
  using model = newT5(tokenizer)
  const { batchSize, steps, lr } = pretraining
  const vocabulary = data.objectiveVocabulary(tokenizer)
  const examples = data.namedObjectives({ spanCorruption: 2, copying: 1 }, { vocabulary, maxLength })
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters()), { eps: 1e-6, rmsScale: true })
  const curves = await trainWith(
    {
      name: 'T5 pre-training',
      objective: train.lossObjective(model),
      ...{ optimizer, steps, lr },
      data: data.denoisingBatches(data.datasetOf(tokenized), { tokenizer, batchSize, seed: 1, ...examples }),
      schedule: { type: 'cosine', warmupSteps: steps / 10, totalSteps: steps },
    },
    console,
  )
  await model.savePretrained(folder)
  await tokenizer.savePretrained(folder)
  return { tokenizer, curves }
}

function newT5(tokenizer: Tokenizer): T5ForConditionalGeneration {
  return new T5ForConditionalGeneration(parseT5Config({ ...sizes, vocab_size: tokenizer.length }))
}

function taskOf(label: 'era' | 'party'): tasks.TextTask {
  return {
    name: label,
    maxTargetLength: 12,
    format: ({ text, [label]: target }) => [{ input: `${label}: ${text}`, target: String(target) }],
    metric: 'accuracy',
    score: (predictions, examples) => {
      const hits = predictions.filter((text, i) => text.trim() === examples[i]?.target)
      return { accuracy: hits.length / examples.length }
    },
  }
}

/** Fine-tunes one model on both questions, and scores it on each. @param from null: from random parameters. */
export async function answerWithT5(
  { train: examples, heldOut }: { readonly train: readonly Passage[]; readonly heldOut: readonly Passage[] },
  { from, tokenizer, saveTo }: { from: string | null; tokenizer: Tokenizer; saveTo?: string },
  console: Console,
): Promise<{ readonly accuracy: Readonly<Record<'era' | 'party', number>>; readonly seconds: number }> {
  using model = from ? await T5ForConditionalGeneration.fromPretrained(from) : newT5(tokenizer)
  const encode = (label: 'era' | 'party', passages: readonly Passage[]) =>
    train.encodedTexts(
      passages
        .filter((passage) => passage[label] !== null)
        .map((passage, i) => ({ row: { ...passage }, place: `passage ${i}` })),
      taskOf(label),
      tokenizer,
      { maxLength },
    )
  const texts = [...(await encode('era', examples)), ...(await encode('party', examples))]
  const { batchSize, epochs, lr } = fineTuning
  const steps = Math.round((epochs * texts.length) / batchSize)
  const head = new train.TextToTextHead(model, tokenizer, taskOf('era'))
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters()), { eps: 1e-6, rmsScale: true })
  const curves = await trainWith(
    {
      name: `T5 era and party, ${from ? 'pre-trained' : 'from scratch'}`,
      objective: train.lossObjective(model),
      ...{ optimizer, steps, lr },
      data: train.batchesOf(head, texts, { batchSize, seed: 1 }),
      schedule: { type: 'linear', warmupSteps: Math.round(steps / 10), totalSteps: steps },
    },
    console,
  )
  model.eval()
  const scoreOf = async (label: 'era' | 'party') => {
    const head = new train.TextToTextHead(model, tokenizer, taskOf(label))
    return (await head.evaluate(await encode(label, heldOut), 64)).accuracy as number
  }
  const accuracy = { era: await scoreOf('era'), party: await scoreOf('party') }
  if (saveTo) {
    await model.savePretrained(saveTo)
    await tokenizer.savePretrained(saveTo)
  }
  return { accuracy, seconds: curves.seconds }
}

/** A sentence with a gap, what stood there, and what the model puts there. */
export interface Filled {
  readonly before: string
  readonly was: string
  readonly after: string
  readonly filled: string
}

/** Lets the pre-trained model fill a span of each sentence. */
export async function fillSpans(sentences: readonly string[], folder: string): Promise<Filled[]> {
  const tokenizer = await AutoTokenizer.fromPretrained(folder)
  using model = await T5ForConditionalGeneration.fromPretrained(folder)
  const results: Filled[] = []
  for (const [i, sentence] of sentences.entries()) {
    const words = sentence.split(' ')
    const at = 3 + ((5 * i) % Math.max(1, words.length - 6))
    const [before, was, after] = [words.slice(0, at), words.slice(at, at + 2), words.slice(at + 2)].map((part) =>
      part.join(' '),
    )
    const inputs = await tokenizer.encode(`${before}<extra_id_0> ${after}`)
    const { sequences } = await model.generate(inputs, { maxNewTokens: 12, numBeams: 4 })
    const [, ids = ''] = (await tokenizer.decode(sequences[0] as Int32Array)).split('<extra_id_0>')
    const filled = ids.split(/<extra_id_1>|<\/s>/, 1)[0]?.trim() as string
    results.push({ before: before as string, was: was as string, after: after as string, filled })
  }
  return results
}
