import type { Json } from '../json.ts'

/** The special tokens of BERT and ELECTRA; their ids are their places. */
export const electraSpecials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const

/** Longer words are unknown, whatever the vocabulary. */
export const maxInputCharsPerWord = 100

export interface BertNormalizer {
  readonly lowercase: boolean
  readonly stripAccents: boolean | null
  readonly handleChineseChars: boolean
}

const id = (token: (typeof electraSpecials)[number]) => electraSpecials.indexOf(token)
const special = (token: string, typeId: number) => ({ SpecialToken: { id: token, type_id: typeId } })
const sequence = (name: string, typeId: number) => ({ Sequence: { id: name, type_id: typeId } })

/** @internal tokenizer.json in the layout of uncased BERT, which ELECTRA uses, but for its vocabulary. */
export function electraTokenizerJson({ lowercase, stripAccents, handleChineseChars }: BertNormalizer): Json {
  const single = [special('[CLS]', 0), sequence('A', 0), special('[SEP]', 0)]
  const named = (token: '[CLS]' | '[SEP]') => [token, { id: token, ids: [id(token)], tokens: [token] }] as const
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: electraSpecials.map((content, id) => addedSpecial(content, id)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: handleChineseChars,
      strip_accents: stripAccents,
      lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, sequence('B', 1), special('[SEP]', 1)],
      special_tokens: Object.fromEntries([named('[CLS]'), named('[SEP]')]),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: maxInputCharsPerWord,
      vocab: Object.fromEntries(electraSpecials.map((token, id) => [token, id])),
    },
  }
}

/** @internal An entry of added_tokens that is found in raw text, as it is. */
export function addedSpecial(content: string, id: number): Json {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
}
