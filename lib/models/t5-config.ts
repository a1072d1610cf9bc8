import { ConfigError } from '../errors.ts'
import type { DropoutBroadcast } from '../nn/index.ts'
import { type Activation, activations, type ConfigJson, ConfigReader, type LabelConfig, labelsOf } from './config.ts'

/** T5, mT5 and umT5, as config.json says it, with defaults filled in. */
export interface T5Config extends LabelConfig {
  readonly modelType: 't5' | 'mt5' | 'umt5'
  readonly vocabSize: number
  readonly dModel: number
  readonly dKV: number
  readonly dFF: number
  readonly numLayers: number
  readonly numDecoderLayers: number
  readonly numHeads: number
  readonly relativeAttentionNumBuckets: number
  readonly relativeAttentionMaxDistance: number
  readonly dropoutRate: number
  readonly classifierDropout: number
  readonly layerNormEpsilon: number
  readonly initializerFactor: number
  readonly denseActFn: Activation
  readonly isGatedAct: boolean
  readonly tieWordEmbeddings: boolean
  /** Whether the decoder's result is multiplied by dModel^−½ before the output layer. */
  readonly scaleDecoderOutputs: boolean
  readonly padTokenId: number
  readonly eosTokenId: number
  readonly decoderStartTokenId: number
  /** How dropout masks are drawn; not part of config.json. */
  readonly dropoutBroadcast: DropoutBroadcast
  /** config.json as it was read. */
  readonly json: ConfigJson
}

const modelTypes = ['t5', 'mt5', 'umt5'] as const

/**
 * Reads a T5 config.json, old ones included. `gated-gelu` means the tanh form, whatever its name.
 *
 * @throws {ConfigError} for a value out of its range, or an activation or model type that is not T5's.
 */
export function parseT5Config(
  json: ConfigJson,
  { dropoutBroadcast = 'none' }: { dropoutBroadcast?: DropoutBroadcast } = {},
): T5Config {
  const read = new ConfigReader('T5Config', json)
  const modelType = read.choice('model_type', modelTypes, 't5')
  const isT5 = modelType === 't5'
  const numLayers = read.integer('num_layers', isT5 ? 6 : 8)
  // Old files leave the key out, and mean tied. mT5 is never scaled, whatever its files say. umT5 is where it is tied, as in
  // transformers 4 and where it was trained; transformers 5 scales every umT5, so that logits of the published ones, none of
  // which is tied, come out smaller by √dModel there: the same order of tokens, but other probabilities.
  const saysTied = read.flag('tie_word_embeddings', true)
  return {
    modelType,
    vocabSize: read.integer('vocab_size', isT5 ? 32128 : 250112),
    dModel: read.integer('d_model', 512),
    dKV: read.integer('d_kv', 64),
    dFF: read.integer('d_ff', isT5 ? 2048 : 1024),
    numLayers,
    numDecoderLayers: read.integer('num_decoder_layers', numLayers),
    numHeads: read.integer('num_heads', isT5 ? 8 : 6),
    relativeAttentionNumBuckets: read.integer('relative_attention_num_buckets', 32),
    relativeAttentionMaxDistance: read.integer('relative_attention_max_distance', 128),
    dropoutRate: read.probability('dropout_rate', 0.1),
    classifierDropout: read.probability('classifier_dropout', 0),
    layerNormEpsilon: read.positive('layer_norm_epsilon', 1e-6),
    initializerFactor: read.positive('initializer_factor', 1),
    ...activationOf(String(json.feed_forward_proj ?? (isT5 ? 'relu' : 'gated-gelu'))),
    tieWordEmbeddings: saysTied,
    scaleDecoderOutputs: read.flag('scale_decoder_outputs', modelType !== 'mt5' && saysTied),
    padTokenId: read.integer('pad_token_id', 0, 0),
    eosTokenId: firstEos(json),
    decoderStartTokenId: read.integer('decoder_start_token_id', read.integer('pad_token_id', 0, 0), 0),
    dropoutBroadcast,
    ...labelsOf('T5Config', json),
    json,
  }
}

function activationOf(projection: string): { denseActFn: Activation; isGatedAct: boolean } {
  const parts = projection.split('-')
  const name = projection === 'gated-gelu' ? 'gelu_new' : (parts.at(-1) as string)
  const isGatedAct = parts[0] === 'gated' && parts.length === 2
  const denseActFn = Object.hasOwn(activations, name) ? activations[name] : undefined
  if (denseActFn && (isGatedAct || parts.length === 1)) return { denseActFn, isGatedAct }
  const known = Object.keys(activations).join(', ')
  throw new ConfigError(
    `T5Config: expected feed_forward_proj to be ${known}, or gated-<one of them>, got ${projection}`,
  )
}

/** Of several ids that end a text, the first is the one that heads look for. */
function firstEos(json: ConfigJson): number {
  const value = Array.isArray(json.eos_token_id) ? json.eos_token_id[0] : json.eos_token_id
  return new ConfigReader('T5Config', { eos_token_id: value }).integer('eos_token_id', 1, 0)
}
