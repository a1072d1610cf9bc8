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
function peakOf(forward: () => unknown, earlier = 3): number {
  for (let i = 0; i < earlier; i++) noGrad(() => scope(forward)) // weights that are used again are packed, and kept
  device().resetPeak()
  const before = device().memory().live
  noGrad(() => scope(forward))
  return device().memory().peak - before
}

const families = {
  ELECTRA: (layers: number) => new ElectraModel(parseElectraConfig({ vocab_size: 200, num_hidden_layers: layers })),
  T5: (layers: number) =>
    new T5EncoderModel(parseT5Config({ vocab_size: 200, d_model: 64, d_ff: 256, num_layers: layers, num_heads: 2 })),
}

test.each(Object.entries(families))('layers of %s add nothing to the peak of inference', (_, make) => {
  const [few, many] = [3, 8].map((layers) => {
    using model = make(layers).eval()
    return peakOf(() => model.forward({ inputIds }).lastHiddenState)
  }) as [number, number]
  expect(many).toBe(few)
})

test.each(Object.entries(families))('nor to that of the passes before it is captured: %s', (_, make) => {
  const [few, many] = [3, 8].map((layers) => {
    using model = make(layers).eval()
    const pass = (length: number) => () => model.forward({ inputIds: [inputIds[0]!.slice(0, length)] }).lastHiddenState
    noGrad(() => scope(pass(100)))
    return peakOf(pass(128), 0)
  }) as [number, number]
  expect(many).toBe(few)
})
