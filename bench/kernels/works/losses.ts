// Losses over a vocabulary and of replaced tokens.
import { Tensor } from '../../../lib/index.ts'
import { native } from '../../../lib/tensor.ts'
import { type FloatDType, float, integers, on, range, vocabulary, type Work } from './work.ts'

const tokens = 64
const labels = () => integers([tokens], vocabulary)
/** A vocabulary and a width of which the products with their weights take little time. */
const [small, width] = [4096, 256] as const
const draws = { seed: 1, site: 2, step: 3 }

export const losses = (dtype: FloatDType): Work[] => [
  {
    name: 'cross-entropy',
    prepare: on(
      () => [float([tokens, vocabulary], dtype), labels()],
      (logits, of) => native.crossEntropyFwd(logits, of, null),
    ),
  },
  {
    name: 'cross-entropy, backward',
    prepare: () => {
      const [logits, of] = [float([tokens, vocabulary], dtype), labels()]
      const { lse, scale } = native.crossEntropyFwd(logits, of, null)
      const dLoss = float([])
      return () => native.crossEntropyBwd(logits, of, null, lse, scale, dLoss)
    },
  },
  {
    name: 'linear cross-entropy',
    prepare: on(
      () => [
        float([tokens, width], dtype),
        float([small, width], dtype),
        float([small], dtype),
        integers([tokens], small),
      ],
      (x, weight, bias, of) =>
        native.linearCrossEntropy(x, weight, bias, of, null, null, { gradX: true, gradWeight: true, gradBias: true }),
    ),
  },
  {
    name: "the generator's objective",
    prepare: on(
      () => [
        float([tokens, width], dtype),
        float([small, width], dtype),
        float([small], dtype),
        integers([4 * tokens], small),
        range(tokens),
      ],
      (x, weight, bias, ids, masked) =>
        native.generatorObjective(x, weight, bias, ids, masked, null, {
          ...draws,
          ...{ gradX: true, gradWeight: true, gradBias: true },
        }),
    ),
  },
  {
    name: 'replaced tokens',
    prepare: on(
      () => [float([tokens, vocabulary], dtype), integers([4 * tokens], vocabulary), range(tokens)],
      (logits, ids, masked) => native.replaceTokens(logits, ids, masked, draws),
    ),
  },
  {
    name: 'binary cross-entropy',
    prepare: on(
      () => [float([8192], dtype), Tensor.full([8192], 1, { dtype }), integers([8192], 2, 'uint8')],
      (logits, targets, mask) => native.bceWithLogits(logits, targets, mask, { gradient: true }),
    ),
  },
  {
    name: 'replaced-token detection',
    prepare: on(
      () => [float([8192], dtype), integers([8192], 2, 'uint8')],
      (logits, replaced) => native.rtdLoss(logits, replaced, null, { gradient: true }),
    ),
  },
]
