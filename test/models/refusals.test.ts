// What a caller gets wrong, for every class: a typed error, at the call, that says what to do, and nothing left behind.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForSeq2SeqLM,
  AutoTokenizer,
  CheckpointError,
  ConfigError,
  DataError,
  DTypeError,
  device,
  ElectraForJointPreTraining,
  ElectraForMaskedLM,
  ElectraForMultipleChoice,
  ElectraForPreTraining,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
  IndexError,
  noGrad,
  parseElectraConfig,
  parseT5Config,
  ShapeError,
  scope,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForQuestionAnswering,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from '../../lib/index.ts'

const vocabSize = 40
const t5 = parseT5Config({ vocab_size: vocabSize, d_model: 8, d_kv: 4, d_ff: 8, num_layers: 1, num_heads: 2 })
const electra = parseElectraConfig({
  vocab_size: vocabSize,
  embedding_size: 4,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 16,
})

interface Inputs {
  readonly inputIds: unknown
  readonly attentionMask?: unknown
}
/** A model, and how a (B, T) batch is given to it. */
interface Subject extends Disposable {
  forward(inputs: Inputs): unknown
}

function subject(model: Disposable, forward: (inputs: Inputs) => unknown): Subject {
  return { forward, [Symbol.dispose]: () => model[Symbol.dispose]() }
}

function plain(model: Disposable & { forward(inputs: never): unknown }): Subject {
  return subject(model, (inputs) => model.forward(inputs as never))
}

function generation(): Subject {
  const model = new T5ForConditionalGeneration(t5)
  return subject(model, (inputs) => model.forward({ decoderInputIds: [[0]], ...inputs } as never))
}

function multipleChoice(): Subject {
  const model = new ElectraForMultipleChoice(electra)
  return subject(model, ({ inputIds, attentionMask }) =>
    model.forward({ inputIds: [inputIds], ...(attentionMask ? { attentionMask: [attentionMask] } : {}) } as never),
  )
}

function joint(): Subject {
  const model = ElectraForJointPreTraining.fromConfigs(electra, electra)
  return subject(model, (inputs) =>
    model.forward({ maskedInputIds: inputs.inputIds, labels: inputs.inputIds, ...inputs } as never),
  )
}

const t5Classes = [T5EncoderModel, T5ForSequenceClassification, T5ForTokenClassification, T5ForQuestionAnswering]
const electraClasses = [
  ElectraModel,
  ElectraForPreTraining,
  ElectraForMaskedLM,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraForQuestionAnswering,
]
type Row = [name: string, family: 't5' | 'electra', make: () => Subject]
const classes: Row[] = [
  ...t5Classes.map((Model): Row => [Model.name, 't5', () => plain(new Model(t5))]),
  ['T5ForConditionalGeneration', 't5', generation],
  ...electraClasses.map((Model): Row => [Model.name, 'electra', () => plain(new Model(electra))]),
  ['ElectraForMultipleChoice', 'electra', multipleChoice],
  ['ElectraForJointPreTraining', 'electra', joint],
]

let tensors: number
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

describe.each(classes)('%s', (_, family, make) => {
  // For heads that look for an end: one in each row.
  const good = [
    [5, 6, 1],
    [7, 8, 1],
  ]
  const refusals: [what: string, inputs: Inputs, error: new (message: string) => Error, message: RegExp][] = [
    [
      'ids beyond the vocabulary',
      { inputIds: [[5, 40, 1]] },
      IndexError,
      /nputIds in \[0, 40\), got 40 at .*tokenizer/,
    ],
    ['negative ids', { inputIds: [[-3, 6, 1]] }, IndexError, /nputIds in \[0, 40\), got -3 at/],
    ['ids that are no integers', { inputIds: [[5, 1.5, 1]] }, DTypeError, /nputIds of 32-bit integers, got 1\.5 at/],
    ['no ids', { inputIds: undefined }, Error, /nputIds/],
    ['no sequence', { inputIds: { data: [], shape: [0, 3] } }, Error, /nputIds/],
    [
      'a mask of another shape',
      {
        inputIds: good,
        attentionMask: [
          [1, 1],
          [1, 1],
        ],
      },
      ShapeError,
      /attentionMask \(.*2, 3\), got \(.*2, 2\)/,
    ],
    [
      'a mask of other values',
      {
        inputIds: good,
        attentionMask: [
          [1, 1, 2],
          [1, 1, 1],
        ],
      },
      IndexError,
      /attentionMask in \[0, 2\), got 2 at/,
    ],
    [
      'ragged rows',
      {
        inputIds: [
          [5, 6, 1],
          [7, 1],
        ],
      },
      ShapeError,
      /rows of one length \(pad them, with an attentionMask\)/,
    ],
  ]
  it.each(refusals)('refuses %s', (__, inputs, error, message) => {
    using model = make()
    const call = () => noGrad(() => scope(() => void model.forward(inputs)))
    expect(call).toThrow(error)
    expect(call).toThrow(message)
  })

  it('refuses a batch without tokens', () => {
    using model = make()
    const call = () => model.forward({ inputIds: [[]] })
    expect(call).toThrow(DataError)
    expect(call).toThrow(/at least one token \(an empty text has special ones\), got \(1, 0\)/)
  })

  it(family === 't5' ? 'takes texts of any length' : 'refuses more tokens than it has positions for', () => {
    using model = make()
    const call = () =>
      noGrad(() => scope(() => void model.forward({ inputIds: [[...new Array<number>(16).fill(5), 1]] })))
    if (family === 't5') return call()
    expect(call).toThrow(ShapeError)
    expect(call).toThrow(/at most 16 tokens a sequence \(truncate the text\), got 17/)
  })
})

describe('folders', () => {
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'refusals-'))
  })
  afterAll(() => rmSync(root, { recursive: true }))
  const folderWith = (config: string) => {
    const folder = mkdtempSync(join(root, 'model-'))
    writeFileSync(join(folder, 'config.json'), config)
    return folder
  }

  it('of a model type that nobody knows, or that says none, name those that are known', async () => {
    for (const [json, got] of [
      ['{"model_type": "bert"}', 'string "bert"'],
      ['{}', 'undefined'],
      ['{"model_type": 5}', 'number 5'],
      ['{"model_type": "constructor"}', 'string "constructor"'],
    ] as const) {
      const load = () => AutoModel.fromPretrained(folderWith(json))
      await expect(load()).rejects.toThrow(ConfigError)
      await expect(load()).rejects.toThrow(`AutoModel: expected model_type to be t5, mt5, umt5, electra in ${root}`)
      await expect(load()).rejects.toThrow(`got ${got}`)
    }
    await expect(AutoModelForMaskedLM.fromPretrained(folderWith('{"model_type": "t5"}'))).rejects.toThrow(
      /model_type to be electra in/,
    )
    await expect(AutoModelForSeq2SeqLM.fromPretrained(folderWith('{"model_type": "electra"}'))).rejects.toThrow(
      /model_type to be t5, mt5, umt5 in/,
    )
    await expect(ElectraModel.fromPretrained(folderWith('{"model_type": "t5"}'))).rejects.toThrow(ConfigError)
    await expect(T5EncoderModel.fromPretrained(folderWith('{"model_type": "electra"}'))).rejects.toThrow(
      /expected model_type to be t5, mt5, umt5, got string "electra"/,
    )
  })

  it('without a tokenizer say where it is expected, and how one gets there', async () => {
    const folder = join(root, 'none')
    mkdirSync(folder)
    await expect(AutoTokenizer.fromPretrained(folder)).rejects.toThrow(CheckpointError)
    await expect(AutoTokenizer.fromPretrained(folder)).rejects.toThrow(
      `expected tokenizer.json in ${folder}, got none; copy the model's tokenizer there, or save one with savePretrained`,
    )
    writeFileSync(join(folder, 'spiece.model'), '')
    await expect(AutoTokenizer.fromPretrained(folder)).rejects.toThrow(/got spiece\.model alone; .*save_pretrained/)
  })
})
