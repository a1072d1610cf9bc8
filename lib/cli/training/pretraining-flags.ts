import type { Flag } from '../flags.ts'
import { choice, integer, text } from '../flags.ts'
import { dataFlags } from './flags.ts'

/** A mapping in a config file; on the command line a file with one. */
const modelConfig: Flag<string | Readonly<Record<string, unknown>>> = {
  ...text('FILE', "keys of config.json that are to differ from the size's; in a config file a mapping"),
  expected: 'a mapping, or a file with one',
  fromConfig: (value) => {
    if (typeof value === 'string' && value !== '') return value
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  },
}

/** The corpus and the model of a pre-training. */
export const corpusFlags = {
  ...dataFlags,
  textColumn: text('NAME', 'column that holds the text [text]'),
  unit: choice(
    ['line', 'document', 'file'],
    'what a document is in text files: a line, lines up to a blank one, or all [document]',
  ),
  tokenizer: text('DIR', 'folder or hub id of a tokenizer [one is learnt from --train]'),
  vocabSize: integer('N', 'most tokens of a tokenizer that is learnt [8192]', 1),
  from: text('DIR', 'a pre-trained model to go on from, instead of --size'),
  modelConfig,
  maxLength: integer('N', 'most tokens of an example [128]', 5),
  evalBatches: integer('N', 'most batches of an evaluation [50]', 1),
}
