import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  CheckpointError,
  device,
  ElectraForJointPreTraining,
  ElectraForMaskedLM,
  type ElectraJointInputs,
  type ElectraJointOptions,
  type ElectraSharing,
  noGrad,
  ops,
  parseElectraConfig,
  ShapeError,
  scope,
  Tensor,
} from '../../lib/index.ts'
import { randomOf } from '../harness.ts'

const vocabSize = 40
const config = (more: object = {}) =>
  parseElectraConfig({
    vocab_size: vocabSize,
    embedding_size: 12,
    hidden_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 24,
    max_position_embeddings: 64,
    initializer_range: 0.4,
    ...more,
  })
const small = { hidden_size: 8, num_attention_heads: 1, intermediate_size: 12 }
const joint = (options: ElectraJointOptions = {}) =>
  ElectraForJointPreTraining.fromConfigs(config(options.sharing === 'all' ? {} : small), config(), options)

const original = [
  [2, 5, 6, 7, 8, 9, 3],
  [2, 10, 11, 12, 3, 0, 0],
]
const attentionMask = [
  [1, 1, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 1, 0, 0],
]
const selected = [
  [0, 1, 0, 1, 0, 0, 0],
  [0, 0, 1, 1, 0, 0, 0],
]
const inputs: ElectraJointInputs = {
  inputIds: original,
  attentionMask,
  tokenTypeIds: original.map((row) => row.map((_, t) => Number(t > 2))),
  // Of two selected tokens one is masked, the other left as it is.
  maskedInputIds: original.map((row, b) => row.map((id, t) => (selected[b]![t] && t !== 3 ? 4 : id))),
  labels: original.map((row, b) => row.map((id, t) => (selected[b]![t] ? id : -100))),
}
const replacedInputIds = original.map((row, b) => row.map((id, t) => (selected[b]![t] && b === 0 ? id + 20 : id)))

let root: string
let tensors: number
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'joint-'))
})
afterAll(() => rmSync(root, { recursive: true }))
beforeEach(() => {
  tensors = device().memory().tensors
})
afterEach(() => expect(device().memory().tensors).toBe(tensors))

/** How often attention ran forward in a step. */
function attentionCalls(model: ElectraForJointPreTraining): number | undefined {
  device().resetCounters()
  scope(() => {
    model.forward(inputs).loss.backward()
    for (const parameter of model.namedParameters().values()) {
      parameter.grad?.dispose()
      parameter.grad = null
    }
  })
  return device().counters().attentionFwd?.calls
}

it('computes the blocks of a small generator again in backward, and of a large one as it is told', () => {
  using half = joint()
  using equal = joint({ sharing: 'all' })
  // Two layers of each network.
  expect(attentionCalls(half)).toBe(4 + 2)
  expect(attentionCalls(equal)).toBe(4)
  equal.gradientCheckpointing = true
  expect(attentionCalls(equal)).toBe(4 + 4)
})

it.each([12, 3])('gives the same with logits that are kept and without, embeddings of %d', async (embedding_size) => {
  const make = (more: object) => config({ ...more, embedding_size })
  using model = ElectraForJointPreTraining.fromConfigs(make(small), make({}), { seed: 4 })
  const values = async () => {
    model.setRandom({ seed: 9, step: 2 })
    const tensors = scope(() => {
      const { mlmLoss, rtdLoss, corruptedIds, isReplaced } = model.forward(inputs)
      return [mlmLoss, rtdLoss, corruptedIds, isReplaced].map((tensor) => tensor.detach())
    })
    const read = await Promise.all(tensors.map((tensor) => tensor.data()))
    for (const tensor of tensors) tensor.dispose()
    return read.map((list) => [...list])
  }
  device().resetCounters()
  const kept = await values()
  // Four tokens are selected: fewer than 12, more than 3.
  expect(device().counters().generatorObjective?.calls).toBe(embedding_size === 12 ? undefined : 1)
  const [not] = [await noGrad(() => ({ values: values() })).values]
  expect(kept.slice(0, 2).flat()).toEqual(not.slice(0, 2).map(([loss]) => expect.closeTo(loss as number, 5)))
  expect(kept.slice(2)).toEqual(not.slice(2))
})

async function gradients(model: ElectraForJointPreTraining): Promise<Map<string, Float32Array>> {
  scope(() => {
    model.forward({ ...inputs, replacedInputIds }).loss.backward()
  })
  const entries = [...model.namedParameters()].map(
    async ([name, { grad, size }]) => [name, ((await grad?.data()) ?? new Float32Array(size)) as Float32Array] as const,
  )
  return new Map(await Promise.all(entries))
}

const shared: Record<ElectraSharing, RegExp | null> = {
  none: null,
  wordAndPosition: /^electra\.embeddings\.(word|position)_embeddings\.weight$/,
  embeddings: /^electra\.embeddings\.((word|position|token_type)_embeddings\.weight|LayerNorm\.(weight|bias))$/,
  all: /^electra\./,
}

describe.each(Object.keys(shared) as ElectraSharing[])('sharing %s', (sharing) => {
  const pattern = shared[sharing]

  it('gives the generator all but what is in common', async () => {
    using model = joint({ sharing })
    const names = [...model.namedParameters().keys()]
    const own = (prefix: string) => names.filter((name) => name.startsWith(prefix)).map((n) => n.slice(prefix.length))
    const [generator, discriminator] = [own('generator.'), own('discriminator.')]
    expect(generator.filter((name) => pattern?.test(name))).toEqual([])
    const trunk = discriminator.filter((name) => name.startsWith('electra.') && !pattern?.test(name))
    const head = ['LayerNorm.weight', 'LayerNorm.bias', 'dense.weight', 'dense.bias']
    expect(generator.sort()).toEqual(
      [...trunk, ...head.map((name) => `generator_predictions.${name}`), 'generator_lm_head.bias'].sort(),
    )
    // Each network goes from the embeddings' size to its own by itself.
    const projection = model.namedParameters().get('generator.electra.embeddings_project.weight')
    expect(projection?.shape).toEqual(sharing === 'all' ? undefined : [8, 12])
  })

  it('adds up the gradients of all uses', async () => {
    const folder = join(root, sharing)
    using model = joint({ sharing, seed: 3 }).eval()
    await model.savePretrained(folder)
    using apart = await ElectraForJointPreTraining.fromPretrained(folder, { sharing: 'none' })
    const [together, parts] = [await gradients(model), await gradients(apart)]
    let summed = 0
    for (const [name, gradient] of together) {
      const plain = name.replace(/^\w+\./, '')
      const want = parts.get(name)!.slice()
      if (pattern?.test(plain)) {
        const other = parts.get(`generator.${plain}`)!
        expect(other.some((value) => value !== 0)).toBe(true)
        other.forEach((value, i) => {
          want[i]! += value
        })
        summed++
      }
      const largest = Math.max(...want.map(Math.abs))
      // The same terms in another order: a few dozen roundings.
      gradient.forEach((value, i) => {
        expect(Math.abs(value - want[i]!), name).toBeLessThanOrEqual(64 * 2 ** -23 * largest)
      })
    }
    expect(summed > 0).toBe(sharing !== 'none')
  })
})

describe('what is in common', () => {
  it('must have one size', () => {
    const wrong = (options: ElectraJointOptions, own: object) => () =>
      ElectraForJointPreTraining.fromConfigs(config(own), config(), options)
    expect(wrong({}, { embedding_size: 8 })).toThrow(ShapeError)
    expect(wrong({}, { embedding_size: 8 })).toThrow(/one embeddingSize with sharing 'embeddings', got 8 and 12/)
    expect(wrong({ sharing: 'all' }, small)).toThrow(/one hiddenSize with sharing 'all', got 8 and 16/)
    expect(wrong({ sharing: 'none' }, { vocab_size: 39 })).toThrow(/one vocabSize/)
    wrong({ sharing: 'none' }, { embedding_size: 8 })().dispose()
  })

  // Hugging Face's folders hold two copies.
  it('A§9.18 must be equal in the two folders, and is then no tensor that nothing uses', async () => {
    const warnings = vi.spyOn(process, 'emitWarning')
    try {
      const folder = join(root, 'apart')
      {
        using model = joint({ sharing: 'none' })
        await model.savePretrained(folder)
      }
      const alive = device().memory().tensors
      for (const sharing of ['wordAndPosition', 'embeddings'] as const) {
        const load = () => ElectraForJointPreTraining.fromPretrained(folder, { sharing })
        await expect(load()).rejects.toThrow(CheckpointError)
        await expect(load()).rejects.toThrow(
          /expected electra\.embeddings\.word_embeddings\.weight of .*generator.* to be the tensor that it is shared as, got one that differs by up to \d/,
        )
      }
      expect(device().memory().tensors).toBe(alive)
      using model = joint({ sharing: 'embeddings' })
      await model.savePretrained(join(root, 'together'))
      for (const sharing of ['none', 'wordAndPosition', 'embeddings'] as const) {
        using again = await ElectraForJointPreTraining.fromPretrained(join(root, 'together'), { sharing })
        expect(again.generator?.loadReport).toEqual({ missing: [], unexpected: [] })
      }
      expect(warnings).not.toHaveBeenCalled()
    } finally {
      warnings.mockRestore()
    }
  })
})

/** (rows, vocabSize) of the generator's logits at the selected tokens. */
async function selectedLogits(mlmLogits: Tensor): Promise<Float32Array> {
  const all = await mlmLogits.data()
  const rows = selected.flat().flatMap((chosen, i) => (chosen ? [i] : []))
  return Float32Array.from(rows.flatMap((row) => Array.from(all.subarray(row * vocabSize, (row + 1) * vocabSize))))
}

const realIds = original.flatMap((row, b) => row.filter((_, t) => attentionMask[b]![t]))
const realSelected = selected.flatMap((row, b) => row.filter((_, t) => attentionMask[b]![t]))
const positions = realSelected.flatMap((chosen, row) => (chosen ? [row] : []))

describe('tokens are drawn', () => {
  it.each([{}, { temperature: 0.5 }, { disallowCorrect: true }])(
    "as replaceTokens draws them from the generator's logits: %o",
    async (options) => {
      using model = joint({ seed: 1 }).eval()
      model.setRandom({ seed: 11, step: 2 })
      const output = noGrad(() => model.forward({ ...inputs, ...options, outputLogits: true }))
      const data = await selectedLogits(output.mlmLogits as Tensor)
      const site = model.generator?.nextSite as number
      const drawn = scope(() =>
        ops.replaceTokens(
          Tensor.from(data, { shape: [positions.length, vocabSize] }),
          Tensor.from(Int32Array.from(realIds)),
          Tensor.from(Int32Array.from(positions)),
          { seed: 11, step: 2, site, ...options },
        ),
      )
      expect(await output.corruptedIds.data()).toEqual(await drawn.corruptedIds.data())
      expect(await output.isReplaced.data()).toEqual(await drawn.isReplaced.data())
      for (const tensor of [...Object.values(output), ...Object.values(drawn)]) tensor?.dispose()
    },
  )

  it('A§9.13 at every selected token, masked or not; a sample that is the original is real', async () => {
    using model = joint({ seed: 1 }).eval()
    const seen = new Map<number, Set<number>>()
    let kept = 0
    for (let step = 0; step < 200; step++) {
      const { corruptedIds, isReplaced } = noGrad(() =>
        scope(() => {
          const output = model.forward(inputs)
          return { corruptedIds: output.corruptedIds, isReplaced: output.isReplaced }
        }),
      )
      const [ids, flags] = [await corruptedIds.data(), await isReplaced.data()]
      ids.forEach((id, row) => {
        expect(flags[row]).toBe(Number(id !== realIds[row]))
        if (!realSelected[row]) expect(id).toBe(realIds[row])
        if (realSelected[row] && id === realIds[row]) kept++
        seen.set(row, (seen.get(row) ?? new Set()).add(id))
      })
      corruptedIds.dispose()
      isReplaced.dispose()
    }
    for (const row of positions) expect(seen.get(row)?.size, `row ${row}`).toBeGreaterThan(5)
    expect(kept).toBeGreaterThan(0)
  })

  it.each([{}, { temperature: 2 }])('in proportion to their probabilities: %o', async (options) => {
    using model = joint({ seed: 2 }).eval()
    const first = noGrad(() => model.forward({ ...inputs, outputLogits: true }))
    const logits = await selectedLogits(first.mlmLogits as Tensor)
    for (const tensor of Object.values(first)) tensor?.dispose()
    const temperature = options.temperature ?? 1
    const mean = new Float64Array(vocabSize)
    const variance = new Float64Array(vocabSize)
    const steps = 1500
    positions.forEach((_, i) => {
      const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize)
      const weights = Array.from(row, (x) => Math.exp((x - Math.max(...row)) / temperature))
      const sum = weights.reduce((a, b) => a + b)
      weights.forEach((weight, id) => {
        const p = weight / sum
        mean[id]! += steps * p
        variance[id]! += steps * p * (1 - p)
      })
    })
    const counts = new Float64Array(vocabSize)
    model.setRandom({ seed: 5, step: 0 })
    for (let step = 0; step < steps; step++) {
      const drawn = noGrad(() => scope(() => model.forward({ ...inputs, ...options }).corruptedIds))
      const ids = await drawn.data()
      drawn.dispose()
      for (const row of positions) counts[ids[row]!]!++
    }
    // Five standard deviations of a sum of independent draws, and one draw for the rarest.
    counts.forEach((count, id) => {
      expect(Math.abs(count - mean[id]!), `token ${id}`).toBeLessThan(5 * Math.sqrt(variance[id]!) + 1)
    })
  })

  it('anew in each step, and the same again for the same seed and step', async () => {
    using model = joint({ seed: 1 }).eval()
    const draw = async () => {
      const drawn = noGrad(() => scope(() => model.forward({ ...inputs, temperature: 100 }).corruptedIds))
      const ids = [...(await drawn.data())]
      drawn.dispose()
      return ids
    }
    model.setRandom({ seed: 7, step: 4 })
    const [fifth, sixth] = [await draw(), await draw()]
    expect(sixth).not.toEqual(fifth)
    model.setRandom({ seed: 7, step: 5 })
    expect(await draw()).toEqual(sixth)
    model.setRandom({ seed: 8, step: 5 })
    expect(await draw()).not.toEqual(sixth)
  })
})

describe('the losses', () => {
  it("A§9.16 the discriminator's is a mean over all real tokens of the batch, weighted by 50", async () => {
    using model = joint({ seed: 4 }).eval()
    const output = noGrad(() => model.forward({ ...inputs, replacedInputIds, outputLogits: true }))
    const logits = await (output.rtdLogits as Tensor).data()
    const losses = original.flatMap((row, b) =>
      row.flatMap((id, t) => {
        if (!attentionMask[b]![t]) return []
        const x = logits[b * row.length + t]!
        const label = Number(replacedInputIds[b]![t] !== id)
        return [Math.max(x, 0) - x * label + Math.log1p(Math.exp(-Math.abs(x)))]
      }),
    )
    expect(losses).toHaveLength(12)
    const mean = losses.reduce((a, b) => a + b) / losses.length
    const [rtd, mlm, total] = await Promise.all([output.rtdLoss.item(), output.mlmLoss.item(), output.loss.item()])
    expect(Math.abs(rtd - mean)).toBeLessThan(1e-6 * mean)
    expect(Math.abs(total - (mlm + 50 * rtd))).toBeLessThan(1e-6 * total)
    for (const tensor of Object.values(output)) tensor?.dispose()
  })

  it('have no gradient from the discriminator to the generator', async () => {
    using model = joint({ sharing: 'none', genWeight: 0 })
    scope(() => {
      model.forward(inputs).loss.backward()
    })
    for (const [name, { grad }] of model.namedParameters()) {
      const values = grad ? await grad.data() : new Float32Array(1)
      if (name.startsWith('generator.')) expect(values.every((value) => value === 0)).toBe(true)
    }
    const word = model.namedParameters().get('discriminator.electra.embeddings.word_embeddings.weight')
    expect((await word?.grad?.data())?.some((value) => value !== 0)).toBe(true)
  })
})

describe('without a generator', () => {
  const uniform = (options: ElectraJointOptions = {}) =>
    ElectraForJointPreTraining.fromConfigs(null, config(), { seed: 6, ...options })

  it('tokens are replaced by any, all alike', async () => {
    using model = uniform().eval()
    const length = 64
    const random = randomOf(9)
    const ids = Array.from({ length: 50 }, () => Array.from({ length }, () => random.integer(vocabSize)))
    const batch = { inputIds: ids, maskedInputIds: ids, labels: ids }
    const output = noGrad(() => model.forward({ ...batch, outputLogits: true }))
    const drawn = await output.corruptedIds.data()
    const counts = new Float64Array(vocabSize)
    for (const id of drawn) counts[id]!++
    const expected = drawn.length / vocabSize
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    // 39 degrees of freedom: mean 39, standard deviation √78; five of them.
    expect(chiSquare).toBeLessThan(39 + 5 * Math.sqrt(78))
    expect(output.mlmLogits).toBeNull()
    expect(await output.mlmLoss.item()).toBe(Math.fround(Math.log(vocabSize)))
    const [total, rtd] = [await output.loss.item(), await output.rtdLoss.item()]
    expect(Math.abs(total - (Math.log(vocabSize) + 50 * rtd))).toBeLessThan(1e-6 * total)
    for (const tensor of Object.values(output)) tensor?.dispose()

    const other = noGrad(() => scope(() => model.forward({ ...batch, disallowCorrect: true }).isReplaced))
    expect((await other.data()).every((flag) => flag === 1)).toBe(true)
    other.dispose()
  })

  it('the discriminator learns alone, from given tokens, too, and is saved alone', async () => {
    using model = uniform()
    const found = await gradients(model)
    expect([...found.keys()].every((name) => name.startsWith('discriminator.'))).toBe(true)
    expect(found.get('discriminator.discriminator_predictions.dense.weight')!.some((value) => value !== 0)).toBe(true)
    const folder = join(root, 'uniform')
    await model.savePretrained(folder)
    expect(existsSync(join(folder, 'generator'))).toBe(false)
    await expect(ElectraForJointPreTraining.fromPretrained(folder)).rejects.toThrow(CheckpointError)
    using again = await ElectraForJointPreTraining.fromPretrained(folder, { uniformGenerator: true })
    expect(again.generator).toBeNull()
    const scores = async (m: ElectraForJointPreTraining) => {
      const logits = noGrad(
        () => scope(() => m.eval().forward({ ...inputs, replacedInputIds, outputLogits: true }).rtdLogits) as Tensor,
      )
      const data = await logits.data()
      logits.dispose()
      return data
    }
    expect(await scores(again)).toEqual(await scores(model))
  })
})

it('a generator that was trained jointly is a masked-language model by itself', async () => {
  const folder = join(root, 'alone')
  using model = joint({ seed: 8 }).eval()
  await model.savePretrained(folder)
  using alone = await ElectraForMaskedLM.fromPretrained(join(folder, 'generator'))
  const { maskedInputIds: inputIds, tokenTypeIds } = inputs
  const run = async (mlm: ElectraForMaskedLM) => {
    const logits = noGrad(
      () => scope(() => mlm.forward({ inputIds, attentionMask, tokenTypeIds: tokenTypeIds! }).logits) as Tensor,
    )
    const data = await logits.data()
    logits.dispose()
    return data
  }
  expect(await run(alone)).toEqual(await run(model.generator as ElectraForMaskedLM))
})
