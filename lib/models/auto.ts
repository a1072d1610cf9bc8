import { readJson } from '../checkpoint/model-folder.ts'
import { resolveModelFolder } from '../checkpoint/resolve.ts'
import { ConfigError, describe } from '../errors.ts'
import {
  ElectraForMaskedLM,
  ElectraForMultipleChoice,
  ElectraForPreTraining,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
} from './electra.ts'
import type { PretrainedOptions } from './model.ts'
import { T5EncoderModel, T5ForConditionalGeneration } from './t5.ts'
import { T5ForQuestionAnswering, T5ForSequenceClassification, T5ForTokenClassification } from './t5-heads.ts'

/** Classes by model type. */
type Table<M> = Readonly<Record<string, { fromPretrained(idOrPath: string, options?: PretrainedOptions): Promise<M> }>>

/** A class that chooses another by the `model_type` of config.json. */
export interface AutoClass<M> {
  /**
   * @param idOrPath a folder, or `org/name` of the hub.
   * @throws {ConfigError} for a model type that has no such head.
   * @throws as `fromPretrained` of the class that is chosen.
   */
  fromPretrained(idOrPath: string, options?: PretrainedOptions): Promise<M>
}

function auto<M>(name: string, table: Table<M>): AutoClass<M> {
  return {
    async fromPretrained(idOrPath, options) {
      const folder = await resolveModelFolder(idOrPath, options)
      const { model_type: type } = (await readJson(folder, 'config.json')).value
      const Class = typeof type === 'string' && Object.hasOwn(table, type) ? table[type] : undefined
      if (Class) return Class.fromPretrained(folder, options)
      const known = Object.keys(table).join(', ')
      throw new ConfigError(`${name}: expected model_type to be ${known} in ${folder}, got ${describe(type)}`)
    },
  }
}

function t5<M>(model: Table<M>[string]): Table<M> {
  return { t5: model, mt5: model, umt5: model }
}

/** The encoder alone. */
export const AutoModel = auto<T5EncoderModel | ElectraModel>('AutoModel', {
  ...t5<T5EncoderModel | ElectraModel>(T5EncoderModel),
  electra: ElectraModel,
})
export const AutoModelForSeq2SeqLM = auto<T5ForConditionalGeneration>(
  'AutoModelForSeq2SeqLM',
  t5<T5ForConditionalGeneration>(T5ForConditionalGeneration),
)
export const AutoModelForPreTraining = auto<T5ForConditionalGeneration | ElectraForPreTraining>(
  'AutoModelForPreTraining',
  {
    ...t5<T5ForConditionalGeneration | ElectraForPreTraining>(T5ForConditionalGeneration),
    electra: ElectraForPreTraining,
  },
)
export const AutoModelForMaskedLM = auto<ElectraForMaskedLM>('AutoModelForMaskedLM', { electra: ElectraForMaskedLM })
export const AutoModelForSequenceClassification = auto<T5ForSequenceClassification | ElectraForSequenceClassification>(
  'AutoModelForSequenceClassification',
  {
    ...t5<T5ForSequenceClassification | ElectraForSequenceClassification>(T5ForSequenceClassification),
    electra: ElectraForSequenceClassification,
  },
)
export const AutoModelForTokenClassification = auto<T5ForTokenClassification | ElectraForTokenClassification>(
  'AutoModelForTokenClassification',
  {
    ...t5<T5ForTokenClassification | ElectraForTokenClassification>(T5ForTokenClassification),
    electra: ElectraForTokenClassification,
  },
)
export const AutoModelForQuestionAnswering = auto<T5ForQuestionAnswering | ElectraForQuestionAnswering>(
  'AutoModelForQuestionAnswering',
  {
    ...t5<T5ForQuestionAnswering | ElectraForQuestionAnswering>(T5ForQuestionAnswering),
    electra: ElectraForQuestionAnswering,
  },
)
export const AutoModelForMultipleChoice = auto<ElectraForMultipleChoice>('AutoModelForMultipleChoice', {
  electra: ElectraForMultipleChoice,
})
