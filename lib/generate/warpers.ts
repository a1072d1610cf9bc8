import { type WarpRule, warpLogits } from '../ops/index.ts'
import type { Tensor } from '../tensor.ts'
import { type GenerationConfig, tokenList } from './config.ts'

/** The rules of sampling that the configuration asks for, in Hugging Face's order; none without `doSample`. */
export function warpers(config: GenerationConfig): ((scores: Tensor) => Tensor)[] {
  if (!config.doSample) return []
  const { temperature, topH, topK, topP, minP, typicalP, epsilonCutoff, etaCutoff } = config
  const ends = tokenList(config.eosTokenId).length
  // Beams keep one token that goes on beside every one that ends.
  const minTokensToKeep = config.numBeams === 1 ? 1 : ends === 0 ? 2 : ends + 1
  const rules: [rule: WarpRule, value: number | null, off: number | null][] = [
    ['temperature', temperature, 1],
    ['topH', topH, null],
    ['topK', topK, 0],
    ['topP', topP, 1],
    ['minP', minP, null],
    ['typical', typicalP, 1],
    ['epsilon', epsilonCutoff, 0],
    ['eta', etaCutoff, 0],
  ]
  return rules
    .filter(([, value, off]) => value !== off)
    .map(
      ([rule, value]) =>
        (scores) =>
          warpLogits(
            scores,
            rule,
            value as number,
            rule === 'temperature' || rule === 'topH' ? {} : { minTokensToKeep },
          ),
    )
}
