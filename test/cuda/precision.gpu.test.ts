// Models that compute in 16 bits on a device, beside the CPU in the same dtype and in float32.
import { describe, expect, test } from 'vitest'
import { type nn, optim, runtimeInfo, T5ForConditionalGeneration, train } from '../../lib/index.ts'
import { batchOf, config } from '../train/tiny.ts'
import { electra, jointBatch } from './tiny-electra.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: 16-bit models on a GPU (${problem})`)

type On = 'cpu' | 'cuda'
const steps = 20

/** Losses of training on one device. */
async function losses<B>(
  model: train.Trainable & { computeDtype: nn.ComputeDType },
  objective: train.Objective<B>,
  batch: (step: number) => B,
  dtype: nn.ComputeDType,
): Promise<number[]> {
  model.computeDtype = dtype
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }))
  const lossScale = dtype === 'float16' ? 2 ** 10 : 1
  const result: number[] = []
  for (let step = 0; step < steps; step++) {
    const settings = { lr: 3e-3, maxGradNorm: 1, seed: 3, step, lossScale }
    using launched = train.launchStep(objective, optimizer, [batch(step)], settings)
    result.push(await launched.loss.item())
  }
  for (const parameter of model.namedParameters().values()) expect(parameter.dtype).toBe('float32')
  return result
}

async function t5(on: On, dtype: nn.ComputeDType) {
  using model = new T5ForConditionalGeneration(config, { seed: 5, device: on })
  return await losses(model, train.lossObjective(model), batchOf, dtype)
}

async function joint(on: On, dtype: nn.ComputeDType) {
  using model = electra(on)
  return await losses(model, train.jointObjective(model), jointBatch, dtype)
}

describe.skipIf(devices.length === 0)('on a GPU', { timeout: 120_000 }, () => {
  test.each([
    ['T5', 'bfloat16', t5],
    ['T5', 'float16', t5],
    ['ELECTRA', 'bfloat16', joint],
    ['ELECTRA', 'float16', joint],
  ] as const)('%s in %s follows float32 as closely as the CPU does', async (_, dtype, run) => {
    const reference = await run('cpu', 'float32')
    const plain = await run('cpu', dtype)
    const got = await run('cuda', dtype)
    const error = Math.max(...plain.map((loss, step) => Math.abs(loss - reference[step]!)))
    // The loss itself is float32: its own rounding is that of 24 bits.
    const band = 2 * error + 4 * 2 ** -24 * Math.max(...reference)
    got.forEach((loss, step) => {
      expect(Math.abs(loss - reference[step]!), `step ${step}`).toBeLessThan(band)
    })
    // Not float32 by another name.
    expect(error).toBeGreaterThan(2 ** -22)
    expect(got).not.toEqual(reference)
    expect(got.at(-1)).toBeLessThan(got[0]!)
  })

  test('generation in 16 bits gives tokens: greedy and beams', async () => {
    using model = new T5ForConditionalGeneration(config, { seed: 5, device: 'cuda' }).eval()
    model.computeDtype = 'bfloat16'
    const inputs = { inputIds: [[3, 9, 4, 1]] }
    const base = { maxNewTokens: 6, minNewTokens: 6 }
    for (const options of [base, { ...base, numBeams: 3 }]) {
      const { sequences } = await model.generate(inputs, options)
      const again = await model.generate(inputs, { ...options, useCache: false })
      expect(sequences[0]).toHaveLength(7)
      expect(again.sequences).toEqual(sequences)
    }
  })
})
