import type { Json } from '../json.ts'
import { addedSpecial } from './electra-layout.ts'

/** The special tokens of T5 that have a role; their ids are their places. */
export const t5Specials = ['<pad>', '</s>', '<unk>'] as const

/** @internal Tokens of single bytes, by byte, as SentencePiece writes them. */
export const byteTokens: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
)

/** @internal T5's sentinels `<extra_id_0>`, `<extra_id_1>`, … */
export function sentinels(extraIds: number): string[] {
  return Array.from({ length: extraIds }, (_, i) => `<extra_id_${i}>`)
}

const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }

/**
 * @internal tokenizer.json in the layout of T5, but for its vocabulary: text is normalized by NFKC, split at whitespace,
 * and each word begins with `▁`. Sentinels are found in raw text alone: they are not in the model, after whose tokens
 * their ids follow, the last sentinel first.
 */
export function t5TokenizerJson(modelSize: number, extraIds: number, byteFallback: boolean): Json {
  const eos = { SpecialToken: { id: '</s>', type_id: 0 } }
  const single = [{ Sequence: { id: 'A', type_id: 0 } }, eos]
  const added = sentinels(extraIds).reverse()
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      ...t5Specials.map((content, id) => addedSpecial(content, id)),
      ...added.map((content, i) => addedSpecial(content, modelSize + i)),
    ],
    normalizer: { type: 'NFKC' },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, { Sequence: { id: 'B', type_id: 0 } }, eos],
      special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    },
    decoder: byteFallback ? { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, metaspace] } : metaspace,
    model: {
      type: 'Unigram',
      unk_id: t5Specials.indexOf('<unk>'),
      byte_fallback: byteFallback,
      vocab: t5Specials.map((token) => [token, 0]),
    },
  }
}
