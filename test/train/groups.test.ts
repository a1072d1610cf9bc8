import { afterEach, describe, expect, it } from 'vitest'
import { device, ops, optim, Tensor } from '../../lib/index.ts'

const { freeze, parameterGroups } = optim

const made: Tensor[] = []
afterEach(() => {
  for (const tensor of made.splice(0)) tensor.dispose()
})

function named(...names: string[]): Map<string, Tensor> {
  return new Map(
    names.map((name) => {
      const tensor = Tensor.ones([2], { requiresGrad: true })
      made.push(tensor)
      return [name, tensor]
    }),
  )
}

/** Settings of each parameter by its name. */
function settings(parameters: Map<string, Tensor>, options: optim.GroupOptions) {
  const groups = parameterGroups(parameters, options)
  return Object.fromEntries(
    [...parameters].flatMap(([name, tensor]) => {
      const group = groups.find(({ params }) => params.includes(tensor))
      return group ? [[name, [group.lrScale, group.weightDecay]]] : []
    }),
  )
}

const layer = (i: number) => `electra.encoder.layer.${i}.attention.self.query.weight`

describe('parameter groups', () => {
  it('norms and biases do not decay; tables do', () => {
    const parameters = named(
      'shared.weight',
      'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
      'encoder.block.0.layer.0.layer_norm.weight',
      'encoder.final_layer_norm.weight',
      'electra.embeddings.LayerNorm.weight',
      'electra.embeddings.LayerNorm.bias',
      'generator_lm_head.bias',
    )
    const decays = Object.values(settings(parameters, { weightDecay: 0.1 })).map(([, decay]) => decay)
    expect(decays).toEqual([0.1, 0.1, 0, 0, 0, 0, 0])
    expect(parameterGroups(parameters, { weightDecay: 0.1 })).toHaveLength(2)
    const own = settings(parameters, { weightDecay: 0.1, noDecay: /^shared\./ })
    expect(own['shared.weight']).toEqual([1, 0])
    expect(own['generator_lm_head.bias']).toEqual([1, 0.1])
  })

  it('learn slower from layer to layer in ELECTRA, each network of a joint model by itself', () => {
    const parameters = named(
      'discriminator.electra.embeddings.word_embeddings.weight',
      'discriminator.electra.embeddings_project.weight',
      `discriminator.${layer(0)}`,
      `discriminator.${layer(1)}`,
      `discriminator.${layer(2)}`,
      'discriminator.discriminator_predictions.dense.weight',
      `generator.${layer(0)}`,
      'generator.generator_predictions.dense.weight',
    )
    const scales = Object.values(settings(parameters, { layerwiseDecay: 0.5 })).map(([scale]) =>
      Math.log2(scale as number),
    )
    expect(scales).toEqual([-5, -5, -4, -3, -2, -0, -2, -0].map((n) => n + 0))
  })

  it("learn slower in T5 from the decoder's end to the embeddings", () => {
    const parameters = named(
      'shared.weight',
      'encoder.block.0.layer.0.SelfAttention.q.weight',
      'encoder.block.1.layer.0.SelfAttention.q.weight',
      'encoder.final_layer_norm.weight',
      'decoder.block.0.layer.1.EncDecAttention.q.weight',
      'decoder.final_layer_norm.weight',
      'lm_head.weight',
    )
    const scales = Object.values(settings(parameters, { layerwiseDecay: 0.5 })).map(([scale]) =>
      Math.log2(scale as number),
    )
    expect(scales).toEqual([-5, -4, -3, -3, -2, 0, 0])
  })

  it('mix: the first rule that matches holds, and what does not decay never does', () => {
    const parameters = named('a.weight', 'a.bias', 'b.weight')
    const rules = [
      { match: /^a\./g, lrScale: 0.1, weightDecay: 0.5 },
      { match: /weight$/, lrScale: 3 },
    ]
    expect(settings(parameters, { weightDecay: 0.01, rules })).toEqual({
      'a.weight': [0.1, 0.5],
      'a.bias': [0.1, 0],
      'b.weight': [3, 0.01],
    })
  })

  it('leave frozen parameters out, for which nothing is computed', () => {
    const start = device().memory().tensors
    const parameters = named('a.weight', 'b.weight')
    const [a, b] = [...parameters.values()] as [Tensor, Tensor]
    freeze(parameters, /^a\./)
    expect(Object.keys(settings(parameters, {}))).toEqual(['b.weight'])
    ops.sum(ops.mul(a, b)).backward()
    expect(a.grad).toBe(null)
    expect(b.grad).not.toBe(null)
    b.grad?.dispose()
    freeze(parameters, /^a\./, false)
    expect(Object.keys(settings(parameters, {}))).toHaveLength(2)
    expect(device().memory().tensors).toBeGreaterThan(start)
  })

  it('refuse what makes no sense', () => {
    const parameters = named('a.weight')
    expect(() => freeze(parameters, /^x/)).toThrow(/expected a pattern that matches a parameter, got \/\^x\//)
    expect(() => parameterGroups(parameters, { rules: [{ match: /^x/ }] })).toThrow(/rules that match/)
    expect(() => parameterGroups(parameters, { layerwiseDecay: 0 })).toThrow(/layerwiseDecay in \(0, 1\], got 0/)
    freeze(parameters, /a/)
    expect(() => parameterGroups(parameters)).toThrow(/got frozen ones only/)
    const sum = ops.add(Tensor.ones([1], { requiresGrad: true }), 1)
    expect(() => {
      sum.requiresGrad = false
    }).toThrow(/expected a leaf/)
    expect(() => {
      Tensor.from(Int32Array.of(1)).requiresGrad = true
    }).toThrow(/float dtype/)
  })
})
