import { finisher, type Objective } from './denoise.ts'
import { sentinel } from './noise-functions.ts'
import { type SpanMaskOptions, spanMask } from './noise-mask.ts'
import type { ObjectiveOptions } from './objectives.ts'
import type { ObjectiveVocabulary } from './vocabulary.ts'

/**
 * Copying: the whole text stays visible, random spans of it are marked, and the decoder is to copy them. Each span stands
 * between two of the same sentinel, `<extra_id_0>` first, and the targets are those of span corruption: each span after its
 * sentinel. With spans (b c) and (e):
 *
 *     text     a b c d e
 *     inputs   a <extra_id_0> b c <extra_id_0> d <extra_id_1> e <extra_id_1> </s>
 *     targets  <extra_id_0> b c <extra_id_1> e </s>
 *
 * A sentinel that stands alone is a gap to fill, one that comes twice holds what to copy: the two tasks can be mixed
 * without a prefix. Spans are drawn as in `spanCorruption`; `copyingLengths` says how long segments should be.
 *
 * @throws as `spanCorruption`.
 */
export function copying({
  noiseDensity,
  meanNoiseSpanLength,
  randomRoll,
  vocabulary,
  ...limits
}: ObjectiveOptions & SpanMaskOptions): Objective {
  const maskOf = spanMask({ noiseDensity, meanNoiseSpanLength, randomRoll })
  const finish = finisher(vocabulary, limits)
  return (tokens, random) => {
    const { inputs, targets } = marked(tokens, maskOf(tokens.length, random), vocabulary)
    return finish(inputs, targets)
  }
}

function marked(tokens: Int32Array, mask: Uint8Array, vocabulary: ObjectiveVocabulary) {
  const inputs: number[] = []
  const targets: number[] = []
  let spans = 0
  tokens.forEach((token, i) => {
    const inSpan = mask[i] === 1
    if (inSpan && mask[i - 1] !== 1) {
      inputs.push(sentinel(vocabulary, spans))
      targets.push(sentinel(vocabulary, spans))
    }
    inputs.push(token)
    if (inSpan) targets.push(token)
    if (inSpan && mask[i + 1] !== 1) inputs.push(sentinel(vocabulary, spans++))
  })
  return { inputs: Int32Array.from(inputs), targets: Int32Array.from(targets) }
}
