// Small tokenizers in the layouts that ELECTRA and T5 have, so that no vocabulary of others is copied.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789.,?!:'-()"]
const words = (
  'the a of in to and is was what who where when not very good bad movie film story plot actor berlin paris london ' +
  'anna peter maria smith lives works likes hates city river tower old new sun moon translate english german french ' +
  'summarize question context answer'
).split(' ')
const endings = ['ing', 'ed', 's', 'er', 'est', 'ly', 'ton']

const special = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

function write(folder: string, json: object, config: object): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json))
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
}

/** @returns the size of the vocabulary. */
export function writeWordPiece(folder: string, modelMaxLength: number): number {
  const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
  const pieces = [...letters, ...words, ...letters.map((c) => `##${c}`), ...endings.map((end) => `##${end}`)]
  const vocab = Object.fromEntries([...specials, ...new Set(pieces)].map((token, id) => [token, id]))
  const piece = (id: string, type_id: number) => ({ Sequence: { id, type_id } })
  const mark = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } })
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map(special),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [mark('[CLS]', 0), piece('A', 0), mark('[SEP]', 0)],
      pair: [mark('[CLS]', 0), piece('A', 0), mark('[SEP]', 0), piece('B', 1), mark('[SEP]', 1)],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map((token) => [token, { id: token, ids: [vocab[token]], tokens: [token] }]),
      ),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  }
  write(folder, json, {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: modelMaxLength,
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    mask_token: '[MASK]',
    model_input_names: ['input_ids', 'token_type_ids', 'attention_mask'],
  })
  return Object.keys(vocab).length
}

/** @returns the size of the vocabulary. */
export function writeUnigram(folder: string, modelMaxLength: number): number {
  const specials = ['<pad>', '</s>', '<unk>']
  const pieces = ['▁', ...words.map((word) => `▁${word}`), ...endings, ...letters]
  const scores = new Map(pieces.map((piece, i) => [piece, -(piece.length > 1 ? 4 : 8) - i / 64]))
  const vocab = [...specials.map((token) => [token, 0]), ...scores, ['<extra_id_0>', 0]]
  const sentinel = vocab.length - 1
  const end = { SpecialToken: { id: '</s>', type_id: 0 } }
  const piece = (id: string) => ({ Sequence: { id, type_id: 0 } })
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [...specials.map(special), special('<extra_id_0>', sentinel)],
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: metaspace,
    post_processor: {
      type: 'TemplateProcessing',
      single: [piece('A'), end],
      pair: [piece('A'), end, piece('B'), end],
      special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    },
    decoder: metaspace,
    model: { type: 'Unigram', unk_id: 2, vocab, byte_fallback: false },
  }
  write(folder, json, {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: modelMaxLength,
    pad_token: '<pad>',
    unk_token: '<unk>',
    eos_token: '</s>',
    model_input_names: ['input_ids', 'attention_mask'],
  })
  return vocab.length
}
