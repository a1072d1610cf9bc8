import { ConfigError, describe } from '../../errors.ts'
import type { GenerateOptions } from '../../generate/index.ts'
import type { T5ForConditionalGeneration } from '../../models/index.ts'
import type { Random } from '../../random.ts'
import { collateSeq2Seq } from '../collate.ts'
import type { SpanOptions } from '../objectives/lengths.ts'
import { spanCorruption } from '../objectives/objectives.ts'
import type { ObjectiveVocabulary } from '../objectives/vocabulary.ts'
import { itemsOf, type Stage } from '../stream.ts'

export interface InfillOptions extends SpanOptions {
  readonly vocabulary: ObjectiveVocabulary
  /** How spans are generated. @default drawn, with room for twice as many tokens as there were */
  readonly generation?: Omit<GenerateOptions, 'seed'>
  /** Texts that go through the model at once. @default 16 */
  readonly batchSize?: number
}

/**
 * Augmentation by T5: random spans of a text are masked and filled anew by the model. A span for which it has nothing to
 * say stays as it was. Texts and results are tokens without EOS.
 *
 * @throws {ConfigError} for options out of their range. Reading throws {DataError} for a text with more spans than there are
 *   sentinels.
 */
export function infillSpans(model: T5ForConditionalGeneration, options: InfillOptions): Stage<Int32Array, Int32Array> {
  const { vocabulary, noiseDensity, meanNoiseSpanLength, generation = {}, batchSize = 16 } = options
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`infillSpans: expected batchSize >= 1, got ${describe(batchSize)}`)
  }
  const corrupt = spanCorruption({ vocabulary, noiseDensity, meanNoiseSpanLength })
  return {
    size: batchSize,
    async give(group, random: Random) {
      const examples = group.map(({ value }, i) => corrupt(value, random.at(i)))
      const { inputIds, attentionMask, labels } = collateSeq2Seq(examples)
      const { sequences } = await model.generate(
        { inputIds, attentionMask },
        {
          doSample: true,
          maxNewTokens: 2 * labels.shape[1],
          ...generation,
          seed: random.uint32(),
          numReturnSequences: 1,
        },
      )
      const filled = examples.map((example, i) => {
        const spans = spansOf(example.labels, vocabulary)
        // The first token is the decoder's start.
        for (const [sentinel, span] of spansOf((sequences[i] as Int32Array).subarray(1), vocabulary)) {
          if (span.length > 0) spans.set(sentinel, span)
        }
        return fill(example.inputIds, spans)
      })
      return itemsOf(filled, group)
    },
  }
}

/** What follows each sentinel, up to the next one or the end. The first of equal sentinels counts. */
function spansOf(tokens: Int32Array, { sentinelIds, eosTokenId }: ObjectiveVocabulary): Map<number, number[]> {
  const spans = new Map<number, number[]>()
  let span: number[] = []
  for (const token of tokens) {
    if (token === eosTokenId) break
    if (!sentinelIds.includes(token)) span.push(token)
    else {
      span = []
      if (!spans.has(token)) spans.set(token, span)
    }
  }
  return spans
}

/** Puts spans in the place of their sentinels; the EOS of the inputs goes. */
function fill(inputIds: Int32Array, spans: ReadonlyMap<number, readonly number[]>): Int32Array {
  return Int32Array.from([...inputIds.subarray(0, -1)].flatMap((token) => spans.get(token) ?? [token]))
}
