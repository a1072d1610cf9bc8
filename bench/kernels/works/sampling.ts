// Rows of logits: sampling, beams, rules.
import { native } from '../../../lib/tensor.ts'
import { float, integers, on, range, vocabulary, type Work } from './work.ts'

const logits = () => float([8, vocabulary], 'float32', 3)
const streams = { seed: 1, site: 2, step: 3 }
export const sampling: Work[] = [
  {
    name: 'argmax',
    prepare: on(
      () => [logits()],
      (x) => native.argmax(x),
    ),
  },
  {
    name: 'top 8',
    prepare: on(
      () => [logits()],
      (x) => native.topK(x, { k: 8 }),
    ),
  },
  {
    name: 'sample',
    prepare: on(
      () => [logits()],
      (x) => native.sampleCategorical(x, null, streams),
    ),
  },
  {
    name: 'candidates of 4 beams',
    prepare: on(
      () => [logits(), float([2, 4])],
      (x, scores) => native.beamCandidates(x, scores, { k: 8 }),
    ),
  },
  {
    name: 'sampled candidates of 4 beams',
    prepare: on(
      () => [logits(), float([2, 4])],
      (x, scores) => native.sampleCandidates(x, scores, null, { k: 8, ...streams }),
    ),
  },
  {
    name: 'top p',
    prepare: on(
      () => [logits()],
      (x) => native.warpLogits(x, { rule: 'topP', value: 0.9 }),
    ),
  },
  {
    name: 'repetition',
    prepare: on(
      () => [logits(), integers([8, 64], vocabulary)],
      (x, ids) => native.penalizeRepetition(x, ids, null, { penalty: 1.2 }),
    ),
  },
  {
    name: 'n-grams',
    prepare: on(
      () => [logits(), integers([8, 64], 3)],
      (x, ids) => native.banRepeatedNgrams(x, ids, null, null, null, { n: 3 }),
    ),
  },
  {
    name: 'banned tokens',
    prepare: on(
      () => [logits(), integers([64], vocabulary)],
      (x, ids) => native.banTokens(x, ids),
    ),
  },
  {
    name: 'tokens with a bias',
    prepare: on(
      () => [logits(), integers([64], 8), integers([64], vocabulary), float([64])],
      (x, of, ids, bias) => native.biasTokens(x, of, ids, bias),
    ),
  },
  {
    name: 'allowed tokens',
    prepare: on(
      () => [logits(), integers([64], 8), integers([64], vocabulary)],
      (x, of, ids) => native.allowTokens(x, of, ids),
    ),
  },
  {
    name: 'forced tokens',
    prepare: on(
      () => [logits(), range(4), integers([4], vocabulary)],
      (x, of, ids) => native.forceTokens(x, of, ids),
    ),
  },
  {
    name: 'boosted tokens',
    prepare: on(
      () => [logits(), integers([64], 8), integers([64], vocabulary), float([64])],
      (x, of, ids, factors) => native.boostTokens(x, of, ids, factors),
    ),
  },
  {
    name: 'finite logits',
    prepare: on(
      () => [logits()],
      (x) => native.replaceNonFinite(x),
    ),
  },
]
