// Untrained models that are quick to train, as folders.
import { ElectraModel, parseElectraConfig, parseT5Config, T5ForConditionalGeneration } from '../../lib/index.ts'
import { writeUnigram, writeWordPiece } from '../pipelines/tokenizers.ts'

export type Family = 't5' | 'electra'

/** A model without a task's head, and its tokenizer. */
export async function writeBase(folder: string, family: Family): Promise<void> {
  if (family === 'electra') {
    const size = { embedding_size: 24, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2 }
    const vocab_size = writeWordPiece(folder, 64)
    const json = { model_type: family, ...size, vocab_size, intermediate_size: 64, initializer_range: 0.1 }
    using model = new ElectraModel(parseElectraConfig(json), { seed: 1 })
    return model.savePretrained(folder)
  }
  const vocab_size = writeUnigram(folder, 64)
  const size = { d_model: 32, d_kv: 16, d_ff: 64, num_heads: 2, num_layers: 2, dropout_rate: 0 }
  const ids = { pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 }
  const json = { model_type: family, ...size, ...ids, vocab_size, tie_word_embeddings: false }
  using model = new T5ForConditionalGeneration(parseT5Config(json), { seed: 1 })
  return model.savePretrained(folder)
}
