import type { ConfigJson } from './config.ts'

/**
 * Published sizes of ELECTRA's discriminators, and `tiny` and `mini`, those of small BERT models, for experiments.
 *
 * @see Clark et al. 2020, appendix A. https://arxiv.org/abs/2003.10555
 * @see Turc et al. 2019, Well-Read Students Learn Better. https://arxiv.org/abs/1908.08962
 */
export const electraSizes = {
  tiny: electra(128, 128, 2, 2),
  mini: electra(128, 256, 4, 4),
  small: electra(128, 256, 12, 4),
  base: electra(768, 768, 12, 12),
  large: electra(1024, 1024, 24, 16),
} as const satisfies Readonly<Record<string, ConfigJson>>

/** What a generator's width is to its discriminator's, as published. */
export const generatorFractions: Readonly<Record<keyof typeof electraSizes, number>> = {
  ...{ tiny: 1 / 2, mini: 1 / 4, small: 1 / 4, base: 1 / 3, large: 1 / 4 },
}

function electra(embedding: number, hidden: number, layers: number, heads: number): ConfigJson {
  return {
    ...{ model_type: 'electra', embedding_size: embedding, hidden_size: hidden, num_hidden_layers: layers },
    ...{ num_attention_heads: heads, intermediate_size: 4 * hidden },
  }
}

/**
 * The configuration of a generator: narrower than its discriminator by a fraction, with inner layers four times as wide and
 * heads of 64; embeddings and depth are those of the discriminator. With a fraction of 1 it is the discriminator's.
 */
export function generatorJson(discriminator: ConfigJson, fraction: number): ConfigJson {
  if (fraction === 1) return discriminator
  const width = Math.round(Number(discriminator.hidden_size) * fraction)
  return {
    ...discriminator,
    ...{ hidden_size: width, intermediate_size: 4 * width, num_attention_heads: Math.max(1, Math.floor(width / 64)) },
  }
}

/**
 * Sizes of T5 v1.1, which is gated and has an output layer of its own; `tiny` and `mini` are those of small efficient T5s.
 *
 * @see Raffel et al. 2020. https://arxiv.org/abs/1910.10683
 * @see Tay et al. 2021, Scale Efficiently. https://arxiv.org/abs/2109.10686
 */
export const t5Sizes = {
  tiny: t5(256, 64, 4, 4, 1024),
  mini: t5(384, 64, 4, 8, 1536),
  small: t5(512, 64, 8, 6, 1024),
  base: t5(768, 64, 12, 12, 2048),
  large: t5(1024, 64, 24, 16, 2816),
} as const satisfies Readonly<Record<string, ConfigJson>>

function t5(model: number, kv: number, layers: number, heads: number, ff: number): ConfigJson {
  return {
    ...{ model_type: 't5', d_model: model, d_kv: kv, d_ff: ff, num_layers: layers, num_decoder_layers: layers },
    ...{ num_heads: heads, feed_forward_proj: 'gated-gelu', tie_word_embeddings: false },
  }
}
