import { ConfigError } from '../errors.ts'
import type { DropoutBroadcast } from '../nn/index.ts'
import { type Activation, type ConfigJson, ConfigReader, type LabelConfig, labelsOf } from './config.ts'

/** ELECTRA, as config.json says it, with defaults filled in. */
export interface ElectraConfig extends LabelConfig {
  readonly vocabSize: number
  readonly embeddingSize: number
  readonly hiddenSize: number
  readonly numHiddenLayers: number
  readonly numAttentionHeads: number
  readonly intermediateSize: number
  /** Of the layers and the discriminator's head; the other heads have the erf form of GELU, whatever it is. */
  readonly hiddenAct: Activation
  readonly hiddenDropoutProb: number
  readonly attentionProbsDropoutProb: number
  readonly classifierDropout: number
  readonly maxPositionEmbeddings: number
  readonly typeVocabSize: number
  readonly initializerRange: number
  readonly layerNormEps: number
  readonly summaryUseProj: boolean
  /** Null: none. */
  readonly summaryActivation: Activation | 'tanh' | null
  readonly summaryLastDropout: number
  readonly padTokenId: number
  readonly tieWordEmbeddings: boolean
  /** How dropout masks are drawn; not part of config.json. */
  readonly dropoutBroadcast: DropoutBroadcast
  /** config.json as it was read. */
  readonly json: ConfigJson
}

/**
 * Reads an ELECTRA config.json, old ones included.
 *
 * @throws {ConfigError} for a value out of its range, sizes that do not fit, or a variant that is not read (decoders).
 */
export function parseElectraConfig(
  json: ConfigJson,
  { dropoutBroadcast = 'none' }: { dropoutBroadcast?: DropoutBroadcast } = {},
): ElectraConfig {
  const read = new ConfigReader('ElectraConfig', json)
  read.choice('model_type', ['electra'], 'electra')
  read.choice('summary_type', ['first'], 'first')
  read.choice('position_embedding_type', ['absolute'], 'absolute')
  if (read.flag('is_decoder', false)) throw new ConfigError('ElectraConfig: expected is_decoder to be false, got true')
  const hiddenDropoutProb = read.probability('hidden_dropout_prob', 0.1)
  const config: ElectraConfig = {
    vocabSize: read.integer('vocab_size', 30522),
    embeddingSize: read.integer('embedding_size', 128),
    hiddenSize: read.integer('hidden_size', 256),
    numHiddenLayers: read.integer('num_hidden_layers', 12),
    numAttentionHeads: read.integer('num_attention_heads', 4),
    intermediateSize: read.integer('intermediate_size', 1024),
    hiddenAct: read.activation('hidden_act', 'gelu'),
    hiddenDropoutProb,
    attentionProbsDropoutProb: read.probability('attention_probs_dropout_prob', 0.1),
    classifierDropout: read.probability('classifier_dropout', hiddenDropoutProb),
    maxPositionEmbeddings: read.integer('max_position_embeddings', 512),
    typeVocabSize: read.integer('type_vocab_size', 2),
    initializerRange: read.positive('initializer_range', 0.02),
    layerNormEps: read.positive('layer_norm_eps', 1e-12),
    summaryUseProj: read.flag('summary_use_proj', true),
    summaryActivation: summaryActivation(json, read),
    summaryLastDropout: read.probability('summary_last_dropout', 0.1),
    padTokenId: read.integer('pad_token_id', 0, 0),
    tieWordEmbeddings: read.flag('tie_word_embeddings', true),
    dropoutBroadcast,
    ...labelsOf('ElectraConfig', json),
    json,
  }
  if (config.hiddenSize % config.numAttentionHeads === 0) return config
  throw new ConfigError(
    `ElectraConfig: expected hidden_size to be a multiple of num_attention_heads, got ${config.hiddenSize} and ${config.numAttentionHeads}`,
  )
}

/** Missing means GELU; null and the empty text mean none. */
function summaryActivation(json: ConfigJson, read: ConfigReader): Activation | 'tanh' | null {
  const value = json.summary_activation
  if (value === null || value === '') return null
  return value === 'tanh' ? 'tanh' : read.activation('summary_activation', 'gelu')
}
