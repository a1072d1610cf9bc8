// Small models with random weights, one for each head, as folders that transformers loads, too. Their weights are made here,
// so that golden results do not depend on how models are initialised.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  ElectraForMaskedLM,
  ElectraForPreTraining,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
  parseElectraConfig,
  parseT5Config,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForQuestionAnswering,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from '../../lib/index.ts'
import { encode, float32Entry } from '../checkpoint/writer.ts'
import { randomOf, seedOf } from '../harness.ts'
import { writeUnigram, writeWordPiece } from './tokenizers.ts'

const electra = {
  model_type: 'electra',
  embedding_size: 8,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 64,
}
const t5 = {
  model_type: 't5',
  d_model: 16,
  d_kv: 8,
  d_ff: 24,
  num_layers: 2,
  num_heads: 2,
  decoder_start_token_id: 0,
  eos_token_id: 1,
  pad_token_id: 0,
}
const labels = (...names: string[]) => ({
  id2label: Object.fromEntries(names.map((name, i) => [i, name])),
  label2id: Object.fromEntries(names.map((name, i) => [name, i])),
})
const entities = labels('O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC')

/** Class and config.json of each model. */
const models = {
  electra_text: [ElectraForSequenceClassification, { ...electra, ...labels('bad', 'fair', 'good') }],
  electra_multi: [
    ElectraForSequenceClassification,
    { ...electra, ...labels('a', 'b', 'c', 'd'), problem_type: 'multi_label_classification' },
  ],
  electra_single: [ElectraForSequenceClassification, { ...electra, ...labels('yes') }],
  electra_regression: [
    ElectraForSequenceClassification,
    { ...electra, ...labels('score'), problem_type: 'regression' },
  ],
  t5_text: [T5ForSequenceClassification, { ...t5, ...labels('bad', 'fair', 'good') }],
  electra_entities: [ElectraForTokenClassification, { ...electra, ...entities }],
  t5_entities: [T5ForTokenClassification, { ...t5, ...entities }],
  electra_qa: [ElectraForQuestionAnswering, electra],
  t5_qa: [T5ForQuestionAnswering, t5],
  electra_mlm: [ElectraForMaskedLM, electra],
  electra_rtd: [ElectraForPreTraining, electra],
  electra_features: [ElectraModel, electra],
  t5_features: [T5EncoderModel, t5],
  t5_generate: [
    T5ForConditionalGeneration,
    {
      ...t5,
      task_specific_params: {
        summarization: {
          prefix: 'summarize: ',
          num_beams: 2,
          length_penalty: 2,
          no_repeat_ngram_size: 3,
          min_length: 4,
        },
        translation_en_to_de: { prefix: 'translate english to german: ', max_length: 12, early_stopping: true },
        translation_en_to_fr: { prefix: 'translate english to french: ' },
      },
    },
  ],
} as const

export type ModelName = keyof typeof models

/** What the classes have in common. */
type AnyClass = new (
  config: object,
) => {
  namedParameters(): Map<string, { readonly shape: readonly number[] }>
  dispose(): void
}

/** Writes the folder of a model, and of its tokenizer. */
export function writeModel(folder: string, name: ModelName): void {
  const [Class, config] = models[name] as unknown as readonly [AnyClass, object]
  const isT5 = name.startsWith('t5')
  const vocab_size = isT5 ? writeUnigram(folder, 48) : writeWordPiece(folder, 48)
  const json = { ...config, vocab_size, architectures: [Class.name] }
  const model = new Class(isT5 ? parseT5Config(json) : parseElectraConfig(json))
  const tensors = [...model.namedParameters()].map(([key, { shape }]) => {
    const random = randomOf(seedOf(key))
    const size = shape.reduce((product, n) => product * n, 1)
    const isNorm = /norm\.(weight|gamma)/i.test(key)
    const scale = isNorm ? 0.1 : key.includes('bias') ? 0.3 : shape.length === 2 && /embed|shared/.test(key) ? 1 : 0.5
    const values = Float32Array.from({ length: size }, () => random.normal() * scale + (isNorm ? 1 : 0))
    return [key, float32Entry(shape, values)] as const
  })
  model.dispose()
  writeFileSync(join(folder, 'config.json'), JSON.stringify(json))
  writeFileSync(join(folder, 'model.safetensors'), encode(Object.fromEntries(tensors), { format: 'pt' }))
}

export const modelNames = Object.keys(models) as ModelName[]
