// A small ELECTRA encoder: its corpus, pre-training, and fine-tuning. The same code for all that is compared.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fineTuningOf, type HeadSettings } from '../../lib/cli/training/heads.ts'
import {
  data,
  device,
  ElectraForJointPreTraining,
  ElectraForMaskedLM,
  ElectraForPreTraining,
  ElectraModel,
  generatorJson,
  noGrad,
  optim,
  parseElectraConfig,
  type Tensor,
  type Tokenizer,
  train,
} from '../../lib/index.ts'
import { assign } from '../../lib/optim/assign.ts'

export const maxLength = 64

/**
 * Two layers, so that an experiment takes minutes. With ELECTRA's small initial weights, attention begins as a mean over all
 * tokens, which is what few rows of short sentences are learnt best from; larger ones leave that state sooner in pre-training.
 *
 * @param dropout of hidden states and attention.
 */
export function encoderJson(tokenizer: Tokenizer, dropout: number) {
  return {
    ...{ model_type: 'electra', embedding_size: 128, hidden_size: 128, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ intermediate_size: 512, max_position_embeddings: 128, initializer_range: 0.02 },
    ...{ hidden_dropout_prob: dropout, attention_probs_dropout_prob: dropout },
    ...{ vocab_size: tokenizer.length, pad_token_id: tokenizer.padTokenId },
  }
}

/** Of fine-tuning, which reads its few rows several times; pre-training reads its text about twice, and goes without. */
const fineTuningDropout = 0.1

/** Sentences of a document, as far as punctuation between spaces or at a line's end tells. */
export function sentencesOf(text: string): string[] {
  return text
    .split(/\n+|(?<=\s[.!?])\s+|(?<=\w[.!?])\s+(?=[A-Z"])/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => /\w/.test(sentence))
}

/** Documents as the ids of their sentences. */
export async function tokenized(documents: readonly (readonly string[])[], tokenizer: Tokenizer) {
  const texts = data.datasetOf(documents.map((sentences) => sentences.join('\n')))
  const stream = data.sample(texts, { epochs: 1, shuffle: false }).through(data.tokenizeLines(tokenizer))
  const ids: Int32Array[][] = []
  for await (const document of stream) ids.push(document)
  return data.datasetOf(ids)
}

/** What an encoder learns from text: to fill masked tokens in, or to find those that a generator filled in. */
export type PretrainingObjective = 'mlm' | 'joint'

export interface PretrainingOptions {
  readonly objective: PretrainingObjective
  readonly tokenizer: Tokenizer
  readonly documents: data.Dataset<Int32Array[]>
  readonly steps: number
  readonly batchSize: number
  readonly maskRate: number
  readonly lr: number
  readonly seed: number
}

/** What a discriminator has learned: losses in nats. */
export interface Judging {
  readonly loss: number
  /** Of always saying the share of replaced tokens. */
  readonly baseLoss: number
  readonly replaced: number
}

/** Pre-trains an encoder, and saves it to a folder with its tokenizer and the dropout of fine-tuning. */
export async function pretrained(folder: string, options: PretrainingOptions): Promise<Pretrained> {
  const { objective: name, tokenizer, documents, steps, batchSize, maskRate, lr, seed } = options
  using model = modelOf(name, tokenizer, seed)
  const batches = (seed: number) => data.electraBatches(documents, { tokenizer, batchSize, maxLength, maskRate, seed })
  const objective = model instanceof ElectraForMaskedLM ? train.maskedObjective(model) : train.jointObjective(model)
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }), {
    eps: 1e-6,
  })
  const measured = await measuredRun(
    new train.Trainer({
      ...{ objective, optimizer, lr, seed, maxSteps: steps },
      data: batches(seed),
      schedule: { type: 'electraLinear', warmupSteps: Math.min(100, steps / 10), totalSteps: steps },
    }),
    (event) => {
      if (event.step % 50 !== 0) return
      const terms = Object.entries(event.terms).map(([term, value]) => `${term} ${value.toFixed(3)}`)
      console.log(`  step ${event.step}: ${terms.join(', ')}`)
    },
  )
  const encoder = model instanceof ElectraForMaskedLM ? model : model.discriminator
  await encoder.savePretrained(folder)
  await tokenizer.savePretrained(folder)
  const config = join(folder, 'config.json')
  const { hidden_dropout_prob, attention_probs_dropout_prob } = encoderJson(tokenizer, fineTuningDropout)
  const saved = { ...JSON.parse(await readFile(config, 'utf8')), hidden_dropout_prob, attention_probs_dropout_prob }
  await writeFile(config, JSON.stringify(saved))
  return {
    ...measured,
    judging: model instanceof ElectraForMaskedLM ? null : await judgingOf(model, batches(seed + 100)),
  }
}

/** Over 20 batches, masked anew. */
async function judgingOf(model: ElectraForJointPreTraining, batches: data.Stream<data.ElectraBatch>): Promise<Judging> {
  let [loss, replaced, tokens, count] = [0, 0, 0, 0]
  for await (const batch of batches) {
    const { rtdLoss, isReplaced } = noGrad(() => model.forward(batch))
    loss += await rtdLoss.item()
    for (const flag of await isReplaced.data()) replaced += Number(flag)
    tokens += isReplaced.size
    if (++count === 20) break
  }
  const share = replaced / tokens
  const baseLoss = -share * Math.log(share) - (1 - share) * Math.log(1 - share)
  return { loss: loss / count, baseLoss, replaced: share }
}

function modelOf(objective: PretrainingObjective, tokenizer: Tokenizer, seed: number) {
  const json = encoderJson(tokenizer, 0)
  const config = parseElectraConfig(json)
  if (objective === 'mlm') return new ElectraForMaskedLM(config, { seed })
  return ElectraForJointPreTraining.fromConfigs(parseElectraConfig(generatorJson(json, 1 / 2)), config, { seed })
}

/** Saves the same encoder with random parameters. */
export async function untrained(folder: string, tokenizer: Tokenizer, seed: number): Promise<void> {
  using model = new ElectraForPreTraining(parseElectraConfig(encoderJson(tokenizer, fineTuningDropout)), { seed })
  await model.savePretrained(folder)
  await tokenizer.savePretrained(folder)
}

/** Saves an encoder that keeps the embeddings of another, and has random layers. */
export async function withFreshLayers(from: string, folder: string, tokenizer: Tokenizer, seed: number): Promise<void> {
  using trained = await ElectraModel.fromPretrained(from)
  using model = new ElectraModel(parseElectraConfig(encoderJson(tokenizer, fineTuningDropout)), { seed })
  const values = new Map(trained.namedParameters())
  for (const [name, parameter] of model.namedParameters()) {
    if (name.includes('embeddings.')) assign(parameter, values.get(name) as Tensor)
  }
  await model.savePretrained(folder)
  await tokenizer.savePretrained(folder)
}

/** What a run took. */
export interface Measured {
  readonly seconds: number
  readonly tokens: number
  /** Most memory that tensors had at once, in bytes. */
  readonly peakBytes: number
}

async function measuredRun<B>(
  trainer: train.Trainer<B>,
  onStep: (event: train.StepEvent) => void = () => {},
): Promise<Measured> {
  device().resetPeak()
  let [seconds, tokens] = [0, 0]
  for await (const event of trainer.run()) {
    if (event.type !== 'step') continue
    seconds += event.seconds
    tokens += event.tokens
    onStep(event)
  }
  trainer.dispose()
  return { seconds, tokens, peakBytes: device().memory().peak }
}

export interface Pretrained extends Measured {
  /** Where there is a discriminator. */
  readonly judging: Judging | null
}

export interface Benchmark {
  readonly name: string
  readonly task: HeadSettings['task']
  readonly train: string
  readonly heldOut: string
  readonly epochs: number
  readonly columns?: Partial<HeadSettings>
}

export interface FineTuned extends Measured {
  /** Of the held-out rows, by the task's own metric. */
  readonly score: number
  readonly scores: Readonly<Record<string, number>>
}

/** Fine-tunes an encoder and scores it. */
export async function fineTuned(
  folder: string,
  tokenizer: Tokenizer,
  { task, train: trained, heldOut, epochs, columns }: Benchmark,
  { lr, seed, batchSize }: { readonly lr: number; readonly seed: number; readonly batchSize: number },
): Promise<FineTuned> {
  const settings = {
    task,
    train: [trained],
    eval: [heldOut],
    maxLength,
    docStride: 16,
    maxAnswerLength: 30,
    ...columns,
  }
  using tuning = await fineTuningOf(folder, tokenizer, settings, { seed })
  const { model, head } = tuning
  const steps = Math.ceil((epochs * tuning.train.length) / batchSize)
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }), {
    eps: 1e-6,
  })
  const measured = await measuredRun(
    new train.Trainer({
      objective: train.lossObjective(model as typeof model & train.ModelWithLoss<object>),
      optimizer,
      data: train.batchesOf(head as never, tuning.train, { batchSize, seed }),
      ...{ lr, seed, maxSteps: steps },
      schedule: { type: 'linear', warmupSteps: Math.round(steps / 10), totalSteps: steps },
    }),
  )
  const scores = await head.evaluate(tuning.heldOut as never, 64)
  return { ...measured, scores, score: scores[head.metric] as number }
}
