// A tiny ELECTRA, generator and discriminator, and batches for it, for the tests of models on a device.
import { type DeviceName, ElectraForJointPreTraining, generatorJson, parseElectraConfig } from '../../lib/index.ts'

export const electraJson = {
  ...{ model_type: 'electra', vocab_size: 40, embedding_size: 8, hidden_size: 16, num_hidden_layers: 2 },
  ...{ num_attention_heads: 2, intermediate_size: 32, max_position_embeddings: 32, initializer_range: 0.1 },
}

export function electra(on: DeviceName): ElectraForJointPreTraining {
  const [generator, discriminator] = [generatorJson(electraJson, 1 / 2), electraJson].map((json) =>
    parseElectraConfig(json),
  )
  return ElectraForJointPreTraining.fromConfigs(generator!, discriminator!, { seed: 4, device: on })
}

/** Ten tokens a row, the last two of the second row padding; the third masked, and here and there replaced. */
export function jointBatch(step: number) {
  const ids = [0, 1].map((b) => Array.from({ length: 10 }, (_, t) => 5 + ((step * 7 + b * 11 + t * t) % 30)))
  const masked = (t: number) => t % 3 === 2
  return {
    inputIds: ids,
    attentionMask: [0, 1].map((b) => ids[b]!.map((_, t) => Number(b === 0 || t < 8))),
    maskedInputIds: ids.map((row) => row.map((id, t) => (masked(t) ? 4 : id))),
    labels: ids.map((row, b) => row.map((id, t) => (masked(t) && (b === 0 || t < 8) ? id : -100))),
    replacedInputIds: ids.map((row) => row.map((id, t) => (masked(t) && t % 2 === 0 ? 5 + ((id + 3) % 30) : id))),
  }
}
