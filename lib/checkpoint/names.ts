// How Hugging Face checkpoints spell the parameters of each family.

/** The names of one family's parameters in files. */
export interface KeyMap {
  /** Name in files of the parameter at a path of the model. */
  nameOf(path: string): string
  /** Other names under which files hold that parameter, in the order in which they are tried. */
  aliasesOf(name: string): readonly string[]
  /** Whether files may hold this tensor although no model reads it. */
  isIgnored(name: string): boolean
}

type Rule = readonly [pattern: RegExp, replacement: string]

function rewrite(path: string, rules: readonly Rule[]): string {
  return rules.reduce((name, [pattern, replacement]) => name.replace(pattern, replacement), path)
}

const t5Rules: readonly Rule[] = [
  [/\bblocks\.(\d+)\.attention\.norm\./, 'block.$1.layer.0.layer_norm.'],
  [/\bblocks\.(\d+)\.attention\.relativeBias\./, 'block.$1.layer.0.SelfAttention.relative_attention_bias.'],
  [/\bblocks\.(\d+)\.attention\./, 'block.$1.layer.0.SelfAttention.'],
  [/\bblocks\.(\d+)\.crossAttention\.norm\./, 'block.$1.layer.1.layer_norm.'],
  [/\bblocks\.(\d+)\.crossAttention\./, 'block.$1.layer.1.EncDecAttention.'],
  [/\bencoder\.blocks\.(\d+)\.feedForward\.norm\./, 'encoder.block.$1.layer.1.layer_norm.'],
  [/\bencoder\.blocks\.(\d+)\.feedForward\./, 'encoder.block.$1.layer.1.DenseReluDense.'],
  [/\bdecoder\.blocks\.(\d+)\.feedForward\.norm\./, 'decoder.block.$1.layer.2.layer_norm.'],
  [/\bdecoder\.blocks\.(\d+)\.feedForward\./, 'decoder.block.$1.layer.2.DenseReluDense.'],
  [/\bwi([01])\./, 'wi_$1.'],
  [/\bfinalNorm\./, 'final_layer_norm.'],
  [/\blmHead\./, 'lm_head.'],
  [/\bclassificationHead\.outProj\./, 'classification_head.out_proj.'],
  [/\bclassificationHead\./, 'classification_head.'],
  [/\bqaOutputs\./, 'qa_outputs.'],
]

/** T5, mT5 and umT5. */
export const t5Names: KeyMap = {
  nameOf: (path) => rewrite(path, t5Rules),
  aliasesOf(name) {
    const plain = name.replace(/^transformer\./, '')
    const names =
      plain === 'shared.weight' ? [plain, 'encoder.embed_tokens.weight', 'decoder.embed_tokens.weight'] : [plain]
    return names.flatMap((alias) => [alias, `transformer.${alias}`])
  },
  // Copies of the embedding, and a table that cross-attention of old models had and never used.
  isIgnored: (name) =>
    /(^|\.)(encoder|decoder)\.embed_tokens\.weight$/.test(name) ||
    /\.EncDecAttention\.relative_attention_bias\.weight$/.test(name),
}

const electraRules: readonly Rule[] = [
  [/\bembeddings\.(word|position)\./, 'embeddings.$1_embeddings.'],
  [/\bembeddings\.tokenType\./, 'embeddings.token_type_embeddings.'],
  [/\bembeddings\.norm\./, 'embeddings.LayerNorm.'],
  [/\bprojection\./, 'embeddings_project.'],
  [/\blayers\.(\d+)\.attention\.q\./, 'encoder.layer.$1.attention.self.query.'],
  [/\blayers\.(\d+)\.attention\.k\./, 'encoder.layer.$1.attention.self.key.'],
  [/\blayers\.(\d+)\.attention\.v\./, 'encoder.layer.$1.attention.self.value.'],
  [/\blayers\.(\d+)\.attention\.o\./, 'encoder.layer.$1.attention.output.dense.'],
  [/\blayers\.(\d+)\.attention\.norm\./, 'encoder.layer.$1.attention.output.LayerNorm.'],
  [/\blayers\.(\d+)\.feedForward\.wi\./, 'encoder.layer.$1.intermediate.dense.'],
  [/\blayers\.(\d+)\.feedForward\.wo\./, 'encoder.layer.$1.output.dense.'],
  [/\blayers\.(\d+)\.feedForward\.norm\./, 'encoder.layer.$1.output.LayerNorm.'],
  [/\bdiscriminatorPredictions\.densePrediction\./, 'discriminator_predictions.dense_prediction.'],
  [/\bdiscriminatorPredictions\./, 'discriminator_predictions.'],
  [/\bgeneratorPredictions\.norm\./, 'generator_predictions.LayerNorm.'],
  [/\bgeneratorPredictions\./, 'generator_predictions.'],
  [/\bgeneratorLmHead\./, 'generator_lm_head.'],
  [/\bclassifier\.outProj\./, 'classifier.out_proj.'],
  [/\bqaOutputs\./, 'qa_outputs.'],
  [/\bsequenceSummary\./, 'sequence_summary.'],
]

/** ELECTRA. */
export const electraNames: KeyMap = {
  nameOf: (path) => rewrite(path, electraRules),
  aliasesOf(name) {
    const plain = name.replace(/^electra\./, '')
    // Files that were made from TensorFlow's have its words for the two parameters of a norm.
    const old = plain.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta')
    return [plain, `electra.${plain}`, ...(old === plain ? [] : [old, `electra.${old}`])]
  },
  // A buffer of older versions: 0, 1, 2, …
  isIgnored: (name) => /(^|\.)embeddings\.position_ids$/.test(name),
}
