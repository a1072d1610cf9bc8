// What a block makes on the way is given back before the next one runs.
import { expect, test } from 'vitest'
import {
  device,
  ElectraModel,
  noGrad,
  parseElectraConfig,
  parseT5Config,
  scope,
  T5EncoderModel,
} from '../../lib/index.ts'

const inputIds = [Array.from({ length: 128 }, (_, i) => 3 + i)]

/** Most bytes in use during a forward pass, beside what was there before. */
function peakOf(forward: () => unknown): number {
  for (let i = 0; i < 3; i++) scope(forward) // weights that are used again are packed, and kept
  device().resetPeak()
  const before = device().memory().live
  noGrad(() => scope(forward))
  return device().memory().peak - before
}

const families = {
  ELECTRA: {
    width: 256,
    make: (layers: number) => new ElectraModel(parseElectraConfig({ vocab_size: 200, num_hidden_layers: layers })),
  },
  T5: {
    width: 64,
    make: (layers: number) =>
      new T5EncoderModel(parseT5Config({ vocab_size: 200, d_model: 64, d_ff: 256, num_layers: layers, num_heads: 2 })),
  },
}

test.each(Object.entries(families))(
  'a layer of %s adds its result alone to the peak of inference',
  (_, { width, make }) => {
    const [few, many] = [2, 8].map((layers) => {
      using model = make(layers).eval()
      return peakOf(() => noGrad(() => model.forward({ inputIds }).lastHiddenState))
    }) as [number, number]
    expect((many - few) / 6).toBe(inputIds[0]!.length * width * 4)
  },
)
