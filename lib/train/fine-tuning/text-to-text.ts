import { collateSeq2Seq, type Seq2SeqBatch, type Seq2SeqExample } from '../../data/index.ts'
import { DataError, DuoformerError } from '../../errors.ts'
import type { T5ForConditionalGeneration } from '../../models/index.ts'
import type { TextExample, TextTask } from '../../tasks/index.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'
import { encoded, type Head, parts } from './head.ts'
import { rankTargets } from './rank-targets.ts'
import type { PlacedRow } from './rows.ts'

/** An example in words and in ids. */
export interface EncodedText extends Seq2SeqExample {
  readonly example: TextExample
}

export interface TextToTextOptions {
  /** Most tokens of inputs. */
  readonly maxLength: number
  /** Keeps the first example of each row alone, and those with wrong answers: what is scored. @default false */
  readonly evaluates?: boolean
}

/** @throws {DataError} for rows that the task cannot be made of, with their place. */
export async function encodedTexts(
  rows: readonly PlacedRow[],
  task: TextTask,
  tokenizer: Tokenizer,
  { maxLength, evaluates = false }: TextToTextOptions,
): Promise<EncodedText[]> {
  const examples = rows.flatMap(({ row, place }) => {
    const own = placed(place, () => task.format(row))
    return evaluates ? own.slice(0, 1) : own.filter(({ isRight = true }) => isRight)
  })
  const inputs = await encoded(
    tokenizer,
    examples.map(({ input }) => input),
    maxLength,
  )
  const targets = await encoded(
    tokenizer,
    examples.map(({ target }) => target),
    task.maxTargetLength,
  )
  return examples.map((example, i) => ({
    ...{ example, inputIds: (inputs[i] as (typeof inputs)[number]).inputIds },
    labels: (targets[i] as (typeof targets)[number]).inputIds,
  }))
}

function placed<T>(place: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof DuoformerError)) throw error
    throw new DataError(`${error.message} in ${place}`, { cause: error })
  }
}

/** Fine-tunes T5 on a task in words. */
export class TextToTextHead implements Head<EncodedText, Seq2SeqBatch> {
  readonly metric: string

  constructor(
    private readonly model: T5ForConditionalGeneration,
    private readonly tokenizer: Tokenizer,
    private readonly task: TextTask,
    /** Chooses among these instead of writing freely. */
    private readonly targets: readonly string[] | null = null,
  ) {
    this.metric = task.metric
  }

  collate(texts: readonly EncodedText[]): Seq2SeqBatch {
    return collateSeq2Seq(texts, this.tokenizer.padTokenId ?? 0)
  }

  /** Scores what the model writes, greedily, or chooses. */
  async evaluate(texts: readonly EncodedText[], batchSize: number): Promise<Record<string, number>> {
    return {
      ...this.task.score(
        await (this.targets ? this.choose(texts, this.targets, batchSize) : this.write(texts, batchSize)),
        texts.map(({ example }) => example),
      ),
    }
  }

  /** What the model writes for each. */
  async write(texts: readonly EncodedText[], batchSize: number): Promise<string[]> {
    const written: string[] = []
    for (const part of parts(texts, batchSize)) {
      const { inputIds, attentionMask } = this.collate(part)
      const { sequences } = await this.model.generate(
        { inputIds, attentionMask },
        { maxNewTokens: this.task.maxTargetLength },
      )
      written.push(...(await this.tokenizer.batchDecode(sequences, { skipSpecialTokens: true })))
    }
    return written
  }

  /** The most likely of several targets, for each. */
  async choose(texts: readonly EncodedText[], targets: readonly string[], batchSize: number): Promise<string[]> {
    const encodings = await encoded(this.tokenizer, targets, this.task.maxTargetLength)
    const ids = encodings.map(({ inputIds }) => inputIds)
    const inputs = texts.map(({ inputIds }) => inputIds)
    const ranked = await rankTargets(this.model, inputs, ids, { batchSize })
    return ranked.map(({ target }) => targets[target] as string)
  }
}
