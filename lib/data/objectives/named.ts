import { ConfigError } from '../../errors.ts'
import { copying } from './copying.ts'
import type { Objective } from './denoise.ts'
import { copyingLengths, type SpanOptions, spanCorruptionLengths } from './lengths.ts'
import * as objectives from './objectives.ts'
import { mixObjectives, ul2 } from './ul2.ts'
import type { ObjectiveVocabulary } from './vocabulary.ts'

const makers = {
  spanCorruption: objectives.spanCorruption,
  copying,
  iidDenoising: objectives.iidDenoising,
  bertStyle: objectives.bertStyle,
  massStyle: objectives.massStyle,
  dropTokens: objectives.dropTokens,
  prefixLanguageModel: objectives.prefixLanguageModel,
  deshuffling: objectives.deshuffling,
  languageModel: objectives.languageModel,
  regularSpans: objectives.regularSpans,
  ul2,
}

export type ObjectiveName = keyof typeof makers

export interface NamedObjectiveOptions extends SpanOptions {
  readonly vocabulary: ObjectiveVocabulary
  /** Most tokens of inputs and of targets, EOS included. */
  readonly maxLength: number
}

/**
 * A mixture of objectives by their names, and how long segments are to be so that the inputs of each come to at most
 * `maxLength` tokens.
 *
 * @param weights of the objectives; each example is of one of them.
 * @throws {ConfigError} for weights that are negative or all 0, names that no objective has, options out of range.
 */
export function namedObjectives(
  weights: Partial<Readonly<Record<ObjectiveName, number>>>,
  { vocabulary, maxLength, noiseDensity, meanNoiseSpanLength }: NamedObjectiveOptions,
): { readonly objective: Objective; readonly segmentLength: number } {
  const spans = { noiseDensity, meanNoiseSpanLength }
  const limits = { vocabulary, maxInputLength: maxLength, maxTargetLength: maxLength }
  const mixed = Object.entries(weights).map(([name, weight]) => {
    const make = Object.hasOwn(makers, name) ? makers[name as ObjectiveName] : undefined
    if (!make) throw new ConfigError(`objective: expected ${Object.keys(makers).join(', ')}, got ${name}`)
    return { objective: make({ ...limits, ...spans }), weight, name: name as ObjectiveName }
  })
  const lengths = mixed.map(({ name }) => segmentLengthOf(name, maxLength, spans))
  return { objective: mixObjectives(mixed), segmentLength: Math.min(...lengths) }
}

function segmentLengthOf(name: ObjectiveName, maxLength: number, spans: SpanOptions): number {
  if (name === 'spanCorruption') return spanCorruptionLengths(maxLength, spans).segmentLength
  if (name === 'copying') return copyingLengths(maxLength, spans).segmentLength
  // Of the others inputs or targets are at most the whole text and its end.
  return maxLength - 1
}
