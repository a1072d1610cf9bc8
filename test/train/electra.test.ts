import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  device,
  ElectraForJointPreTraining,
  ElectraForSequenceClassification,
  type ElectraJointInputs,
  optim,
  parseElectraConfig,
  scope,
  type Tensor,
  train,
} from '../../lib/index.ts'

const config = (more: object = {}) =>
  parseElectraConfig({
    ...{ model_type: 'electra', vocab_size: 17, embedding_size: 8, hidden_size: 8, num_hidden_layers: 2 },
    ...{ num_attention_heads: 2, intermediate_size: 12, max_position_embeddings: 8, ...more },
  })

let tensors: number
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

/** A text of which the second and fourth token are masked, with token 4 as the mask. */
function batchOf(number: number): ElectraJointInputs {
  const text = [1, 2, 3, 4, 5, 6].map((t) => 5 + ((number * 5 + t * 7) % 12))
  const masked = (t: number) => t === 1 || t === 3
  return {
    inputIds: [text],
    maskedInputIds: [text.map((id, t) => (masked(t) ? 4 : id))],
    labels: [text.map((id, t) => (masked(t) ? id : -100))],
    attentionMask: [[1, 1, 1, 1, 1, 0]],
  }
}

async function* batches(): AsyncGenerator<ElectraJointInputs> {
  for (let i = 0; ; i++) yield batchOf(i % 5)
}

async function steps(objective: train.Objective<ElectraJointInputs>, maxSteps: number): Promise<train.StepEvent[]> {
  const optimizer = new optim.AdamW(optim.parameterGroups(objective.model.namedParameters()), { biasCorrection: false })
  const seen: train.StepEvent[] = []
  const trainer = new train.Trainer({ objective, optimizer, data: batches(), lr: 5e-3, maxSteps, clipStyle: 'tf' })
  for await (const event of trainer.run()) if (event.type === 'step') seen.push(event)
  optimizer.dispose()
  return seen
}

describe('generator and discriminator', () => {
  it('learn together, each from its own targets', async () => {
    using model = ElectraForJointPreTraining.fromConfigs(config({ hidden_size: 4 }), config())
    const seen = await steps(train.jointObjective(model), 40)
    expect(seen[0]?.targets).toEqual({ mlm: 2, rtd: 5 })
    for (const { loss, terms } of seen) {
      expect(loss).toBeCloseTo((terms.mlm as number) + 50 * (terms.rtd as number), 4)
    }
    const mean = (from: number) => seen.slice(from, from + 10).reduce((sum, { loss }) => sum + loss / 10, 0)
    expect(mean(30)).toBeLessThan(mean(0) - 2)
    expect(model.training).toBe(true)
  })

  it('learn one after the other: the second starts as the first, which stays as it is', async () => {
    using model = ElectraForJointPreTraining.fromConfigs(config(), config(), { sharing: 'none' })
    const word = (of: 'generator' | 'discriminator') =>
      (model[of] as NonNullable<(typeof model)['generator']>).trunk.embeddings.word.weight
    const before = await word('discriminator').data()
    const first = await steps(train.generatorObjective(model), 20)
    expect(Object.keys(first[0]?.terms ?? {})).toEqual(['mlm'])
    expect(first[19]?.loss).toBeLessThan(first[0]?.loss as number)
    expect(await word('discriminator').data()).toEqual(before)

    train.startDiscriminator(model)
    const learnt = await word('generator').data()
    expect(await word('discriminator').data()).toEqual(learnt)
    const second = await steps(train.discriminatorObjective(model), 20)
    expect(Object.keys(second[0]?.terms ?? {})).toEqual(['rtd'])
    expect(await word('generator').data()).toEqual(learnt)
    expect(await word('discriminator').data()).not.toEqual(learnt)
  })

  it('of two sizes, or with something in common, have no second stage', () => {
    using small = ElectraForJointPreTraining.fromConfigs(config({ hidden_size: 4 }), config(), { sharing: 'none' })
    expect(() => train.startDiscriminator(small)).toThrow(/expected the generator to have electra\..* one size/)
    using tied = ElectraForJointPreTraining.fromConfigs(config(), config())
    expect(() => train.startDiscriminator(tied)).toThrow(/got none of its own/)
    using alone = ElectraForJointPreTraining.fromConfigs(null, config())
    expect(() => train.startDiscriminator(alone)).toThrow(/expected a model with a generator/)
    expect(() => train.generatorObjective(alone)).toThrow(/expected a model with a generator/)
  })

  it('need no generator where random tokens do', async () => {
    using model = ElectraForJointPreTraining.fromConfigs(null, config())
    const seen = await steps(train.jointObjective(model), 3)
    expect(seen[0]?.terms.mlm).toBeCloseTo(Math.log(17), 6)
    expect(seen[0]?.gradNorm).toBeGreaterThan(0)
  })
})

it('a classifier learns with less of a rate in lower layers', async () => {
  using model = new ElectraForSequenceClassification(config({ id2label: { 0: 'a', 1: 'b', 2: 'c' } }))
  const groups = optim.parameterGroups(model.namedParameters(), { layerwiseDecay: 0.5 })
  using optimizer = disposable(new optim.SGD(groups))
  const objective = train.lossObjective(model.eval())
  const before = new Map<string, ArrayLike<number>>()
  for (const [name, tensor] of model.namedParameters()) before.set(name, await tensor.data())
  const batch = { inputIds: [[5, 6, 7]], labels: [2] }
  scope(() => objective.losses(batch).loss?.backward())
  const gradients = new Map<string, ArrayLike<number>>()
  for (const [name, { grad }] of model.namedParameters()) gradients.set(name, await (grad as Tensor).data())
  model.namedParameters().forEach((tensor) => {
    tensor.grad?.dispose()
    tensor.grad = null
  })
  using launched = train.launchStep(objective, optimizer.value, [batch], { lr: 0.5 })
  expect(launched.targets).toEqual({ loss: 1 })
  for (const [name, factor] of [
    ['electra.embeddings.word_embeddings.weight', 0.5 ** 4],
    ['electra.encoder.layer.1.output.dense.weight', 0.5 ** 2],
    ['classifier.out_proj.weight', 1],
  ] as const) {
    const [old, gradient] = [before.get(name), gradients.get(name)] as [ArrayLike<number>, ArrayLike<number>]
    const now = await (model.namedParameters().get(name) as Tensor).data()
    now.forEach((value, i) => {
      expect(value).toBeCloseTo((old[i] as number) - 0.5 * factor * (gradient[i] as number), 6)
    })
  }
})

function disposable(value: optim.Optimizer): Disposable & { value: optim.Optimizer } {
  return { value, [Symbol.dispose]: () => value.dispose() }
}
