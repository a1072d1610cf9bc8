// ELECTRA: generator and discriminator together, then the discriminator's layers as a classifier.
import { join } from 'node:path'
import type { Console } from '../../lib/cli/console.ts'
import {
  AutoModelForSequenceClassification,
  data,
  ElectraForJointPreTraining,
  ElectraForSequenceClassification,
  generatorJson,
  optim,
  parseElectraConfig,
  pipeline,
  type Tokenizer,
  train,
  trainWordPiece,
} from '../../lib/index.ts'
import type { Address, Passage } from './sotu.ts'
import { trainWith } from './training.ts'

// Initial weights that suit the width: at the published 0.02 so narrow a network learns nothing in its first minutes.
const sizes = {
  model_type: 'electra',
  embedding_size: 128,
  hidden_size: 128,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 512,
  max_position_embeddings: 128,
  initializer_range: 0.06,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
}
const maxLength = 128
const pretraining = { batchSize: 8, steps: 900, lr: 1e-3 }
const fineTuning = { batchSize: 16, epochs: 3, lr: 1e-3 }

export interface PretrainedElectra {
  readonly tokenizer: Tokenizer
  readonly discriminator: string
  readonly curves: train.RunCurves
}

export async function pretrainElectra(
  corpus: readonly Address[],
  folder: string,
  console: Console,
): Promise<PretrainedElectra> {
  console.note('ELECTRA: learning a WordPiece vocabulary')
  const tokenizer = await trainWordPiece(
    corpus.flatMap(({ sentences }) => sentences),
    { vocabSize: 3000, modelMaxLength: maxLength, signal: console.signal },
  )
  const documents = data.datasetOf(corpus.map(({ sentences }) => sentences.join('\n')))
  const lines = data.sample(documents, { epochs: 1, shuffle: false }).through(data.tokenizeLines(tokenizer))
  const tokenized: Int32Array[][] = []
  for await (const document of lines) tokenized.push(document)
  const json = { ...sizes, vocab_size: tokenizer.length, pad_token_id: tokenizer.padTokenId }
  using model = ElectraForJointPreTraining.fromConfigs(
    parseElectraConfig(generatorJson(json, 1 / 2)),
    parseElectraConfig(json),
  )
  const { batchSize, steps, lr } = pretraining
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }), {
    eps: 1e-6,
  })
  const curves = await trainWith(
    {
      name: 'ELECTRA pre-training',
      objective: train.jointObjective(model),
      ...{ optimizer, steps, lr },
      data: data.electraBatches(data.datasetOf(tokenized), { tokenizer, batchSize, maxLength, seed: 1 }),
      schedule: { type: 'electraLinear', warmupSteps: steps / 10, totalSteps: steps },
    },
    console,
  )
  await model.savePretrained(folder)
  for (const part of ['discriminator', 'generator']) await tokenizer.savePretrained(join(folder, part))
  return { tokenizer, discriminator: join(folder, 'discriminator'), curves }
}

export interface Classified {
  readonly accuracy: number
  readonly seconds: number
}

/**
 * Fine-tunes a classifier of passages.
 *
 * @param label what is to be told.
 * @param from folder of a pre-trained model; its sizes alone, with random parameters, where `pretrained` is false.
 */
export async function classifyWithElectra(
  { train: examples, heldOut }: { readonly train: readonly Passage[]; readonly heldOut: readonly Passage[] },
  { label, from, pretrained, tokenizer, saveTo }: ElectraClassifier,
  console: Console,
): Promise<Classified> {
  const rows = (passages: readonly Passage[]) =>
    passages.map((passage, i) => ({ row: { text: passage.text, label: passage[label] }, place: `passage ${i}` }))
  const columns = {}
  const labels = train.labelsIn(rows(examples), 'single', columns)
  const config = { ...labels.config, problem_type: 'single_label_classification' }
  using model = pretrained
    ? ((await AutoModelForSequenceClassification.fromPretrained(from, { config })) as ElectraForSequenceClassification)
    : new ElectraForSequenceClassification(
        parseElectraConfig({ ...sizes, vocab_size: tokenizer.length, pad_token_id: tokenizer.padTokenId, ...config }),
      )
  const encode = (passages: readonly Passage[]) =>
    train.classifiedTexts(rows(passages), tokenizer, { kind: 'single', labels, columns, maxLength })
  const [texts, others] = [await encode(examples), await encode(heldOut)]
  const head = new train.ClassificationHead(model, tokenizer, 'single')
  const { batchSize, epochs, lr } = fineTuning
  const steps = Math.round((epochs * texts.length) / batchSize)
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters()), { eps: 1e-6 })
  const curves = await trainWith(
    {
      name: `ELECTRA ${label}, ${pretrained ? 'pre-trained' : 'from scratch'}`,
      objective: train.lossObjective(model),
      ...{ optimizer, steps, lr },
      data: train.batchesOf(head, texts, { batchSize, seed: 1 }),
      schedule: { type: 'linear', warmupSteps: Math.round(steps / 10), totalSteps: steps },
    },
    console,
  )
  model.eval()
  const { accuracy } = await head.evaluate(others, 64)
  if (saveTo) {
    await model.savePretrained(saveTo)
    await tokenizer.savePretrained(saveTo)
  }
  return { accuracy: accuracy as number, seconds: curves.seconds }
}

export interface ElectraClassifier {
  readonly label: 'era' | 'party'
  readonly from: string
  readonly pretrained: boolean
  readonly tokenizer: Tokenizer
  /** @default nowhere */
  readonly saveTo?: string
}

/** A sentence in which words were replaced, and how suspicious the discriminator finds each word. */
export interface Detection {
  readonly words: readonly { readonly word: string; readonly replaced: boolean; readonly score: number }[]
}

/** Lets the discriminator look for words that took the place of others. */
export async function detectReplaced(
  sentences: readonly string[],
  replacements: readonly string[],
  folder: string,
): Promise<Detection[]> {
  using detect = await pipeline('replaced-token-detection', folder)
  const detections: Detection[] = []
  for (const [i, sentence] of sentences.entries()) {
    const words = sentence.split(' ')
    const at = new Set([(7 * i + 3) % words.length, (11 * i + 8) % words.length])
    const shown = words.map((word, w) =>
      at.has(w) ? (replacements[(13 * i + w) % replacements.length] as string) : word,
    )
    const text = shown.join(' ')
    const tokens = await detect(text)
    let start = 0
    detections.push({
      words: shown.map((word, w) => {
        const end = start + word.length
        const own = tokens.filter((token) => token.start < end && token.end > start)
        start = end + 1
        const score = own.reduce((most, token) => Math.max(most, token.score), 0)
        return { word, replaced: word !== words[w], score }
      }),
    })
  }
  return detections
}
