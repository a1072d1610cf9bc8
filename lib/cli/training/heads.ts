// The kinds of fine-tuning: which class of model each needs, and how files become examples for it.
import type { FormatName } from '../../data/index.ts'
import { ConfigError } from '../../errors.ts'
import type { ConfigJson } from '../../models/config.ts'
import {
  AutoModelForMultipleChoice,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  ElectraForQuestionAnswering,
  type PretrainedOptions,
} from '../../models/index.ts'
import { pipeline } from '../../pipelines/index.ts'
import type { TextTask } from '../../tasks/index.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import {
  ClassificationHead,
  type ClassificationKind,
  choiceQuestions,
  classifiedTexts,
  encodedTexts,
  type Head,
  Labels,
  labelsIn,
  MultipleChoiceHead,
  type PlacedRow,
  placedRows,
  type Question,
  QuestionAnsweringHead,
  questionsIn,
  questionWindows,
  TaggingHead,
  TextToTextHead,
  type Trainable,
  taggedSentences,
  tagsIn,
} from '../../train/index.ts'

export const headTasks = [
  'classification',
  'multi-label',
  'regression',
  'tagging',
  'question-answering',
  'multiple-choice',
] as const
export type HeadTask = (typeof headTasks)[number]

export interface HeadSettings {
  readonly task: HeadTask | TextTask
  readonly train?: readonly string[] | undefined
  readonly eval?: readonly string[] | undefined
  readonly format?: FormatName | undefined
  readonly textColumn?: string | undefined
  readonly pairColumn?: string | undefined
  readonly labelColumn?: string | undefined
  readonly maxLength: number
  readonly docStride: number
  readonly maxAnswerLength: number
  /** What a task in words chooses among when it is evaluated; undefined where it writes freely. */
  readonly targets?: readonly string[] | undefined
}

/** A model with its head, and the examples that it is trained and measured on. */
export interface FineTuning extends Disposable {
  readonly model: LoadedModel
  readonly head: Head<unknown, never>
  readonly train: readonly unknown[]
  readonly heldOut: readonly unknown[]
}

export interface LoadedModel extends Trainable, Disposable {
  readonly config: { readonly id2label: readonly string[]; readonly json: ConfigJson }
}

interface Examples {
  readonly train: readonly PlacedRow[]
  readonly heldOut: readonly PlacedRow[]
}

/**
 * Loads a model for a task, with new labels where there is training data, else with its own; and encodes the data.
 *
 * @throws {DataError} for rows that do not suit the task; {ConfigError} for a family without such a head.
 */
export async function fineTuningOf(
  folder: string,
  tokenizer: Tokenizer,
  settings: HeadSettings,
  options: PretrainedOptions,
): Promise<FineTuning> {
  const { format } = settings
  const rows: Examples = {
    train: settings.train ? await placedRows(settings.train, format) : [],
    heldOut: settings.eval ? await placedRows(settings.eval, format) : [],
  }
  const load = new HeadLoader(folder, tokenizer, settings, options, rows)
  const { task } = settings
  if (typeof task === 'object') return load.textToText(task)
  switch (task) {
    case 'classification':
      return load.classification('single')
    case 'multi-label':
      return load.classification('multi')
    case 'regression':
      return load.classification('regression')
    case 'tagging':
      return load.tagging()
    case 'question-answering':
      return load.questionAnswering()
    case 'multiple-choice':
      return load.multipleChoice()
  }
}

const problemTypes: Readonly<Record<ClassificationKind, string>> = {
  single: 'single_label_classification',
  multi: 'multi_label_classification',
  regression: 'regression',
}

class HeadLoader {
  constructor(
    private readonly folder: string,
    private readonly tokenizer: Tokenizer,
    private readonly settings: HeadSettings,
    private readonly options: PretrainedOptions,
    private readonly rows: Examples,
  ) {}

  async classification(kind: ClassificationKind): Promise<FineTuning> {
    const { textColumn: text, pairColumn: pair, labelColumn: label, maxLength } = this.settings
    const columns = { text, pair, label }
    const own = this.#trains ? labelsIn(this.rows.train, kind, columns) : null
    const config = own && { ...own.config, num_labels: own.names.length, problem_type: problemTypes[kind] }
    const model = await AutoModelForSequenceClassification.fromPretrained(this.folder, this.#with(config))
    const labels = own ?? new Labels(model.config.id2label)
    const encode = (rows: readonly PlacedRow[]) =>
      classifiedTexts(rows, this.tokenizer, { kind, labels, columns, maxLength })
    return this.#made(model, new ClassificationHead(model, this.tokenizer, kind), encode)
  }

  async tagging(): Promise<FineTuning> {
    const own = this.#trains ? tagsIn(this.rows.train) : null
    const config = own && { ...own.config, num_labels: own.names.length }
    const model = await AutoModelForTokenClassification.fromPretrained(this.folder, this.#with(config))
    const labels = own ?? new Labels(model.config.id2label)
    const encode = (rows: readonly PlacedRow[]) =>
      taggedSentences(rows, this.tokenizer, labels, this.settings.maxLength)
    return this.#made(model, new TaggingHead(model, this.tokenizer, labels), encode)
  }

  async questionAnswering(): Promise<FineTuning> {
    const { maxLength, docStride, maxAnswerLength: maxAnswerLen } = this.settings
    const model = await AutoModelForQuestionAnswering.fromPretrained(this.folder, this.options)
    const { tokenizer } = this
    const withoutAnswer = model instanceof ElectraForQuestionAnswering
    const answer = async (questions: readonly Question[], batchSize: number) => {
      const ask = await pipeline('question-answering', model, { tokenizer, batchSize })
      const found = await ask([...questions], {
        ...{ maxSeqLen: maxLength, docStride: Math.min(docStride, Math.floor(maxLength / 2)), maxAnswerLen },
        handleImpossibleAnswer: questions.some(({ answers }) => answers.length === 0),
      })
      return found.map((each) => each.answer)
    }
    const heldOut = questionsIn(this.rows.heldOut)
    const encode = (rows: readonly PlacedRow[]) =>
      questionWindows(questionsIn(rows), tokenizer, { maxLength, docStride, withoutAnswer })
    return this.#made(model, new QuestionAnsweringHead(tokenizer, heldOut, answer), encode)
  }

  async multipleChoice(): Promise<FineTuning> {
    const model = await AutoModelForMultipleChoice.fromPretrained(this.folder, this.options)
    const encode = (rows: readonly PlacedRow[]) => choiceQuestions(rows, this.tokenizer, this.settings.maxLength)
    return this.#made(model, new MultipleChoiceHead(model, this.tokenizer), encode)
  }

  async textToText(task: TextTask): Promise<FineTuning> {
    const model = await AutoModelForSeq2SeqLM.fromPretrained(this.folder, this.options)
    const { maxLength, targets = null } = this.settings
    const encode = (rows: readonly PlacedRow[], evaluates: boolean) =>
      encodedTexts(rows, task, this.tokenizer, { maxLength, evaluates })
    return this.#made(model, new TextToTextHead(model, this.tokenizer, task, targets), encode)
  }

  get #trains(): boolean {
    return this.settings.train !== undefined
  }

  #with(config: ConfigJson | null): PretrainedOptions {
    return config ? { ...this.options, config } : this.options
  }

  async #made<E, B>(
    model: LoadedModel,
    head: Head<E, B>,
    encode: (rows: readonly PlacedRow[], evaluates: boolean) => Promise<E[]>,
  ): Promise<FineTuning> {
    try {
      const train = this.rows.train.length > 0 ? await encode(this.rows.train, false) : []
      const heldOut = this.rows.heldOut.length > 0 ? await encode(this.rows.heldOut, true) : []
      return {
        ...{ model, train, heldOut, head: head as unknown as Head<unknown, never> },
        [Symbol.dispose]: () => model[Symbol.dispose](),
      }
    } catch (error) {
      model[Symbol.dispose]()
      throw error
    }
  }
}

/** @throws {ConfigError} for a tokenizer with ids that the model does not have. */
export function expectTokenizer(tokenizer: Tokenizer, { vocab_size: vocabSize }: ConfigJson): void {
  if (typeof vocabSize !== 'number' || tokenizer.length <= vocabSize) return
  throw new ConfigError(`expected a tokenizer of at most ${vocabSize} tokens as the model has, got ${tokenizer.length}`)
}
