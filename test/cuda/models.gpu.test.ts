// Whole models on a device beside the CPU, through the public API: training, generation, and checkpoints that move. The
// default device stays the CPU, so that every tensor which a model makes must follow its parameters.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  ElectraForSequenceClassification,
  noGrad,
  optim,
  parseElectraConfig,
  runtimeInfo,
  T5ForConditionalGeneration,
  train,
} from '../../lib/index.ts'
import { Batches, batchOf, config as t5Config } from '../train/tiny.ts'
import { electra, electraJson, jointBatch } from './tiny-electra.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: models on a GPU (${problem})`)

type On = 'cpu' | 'cuda'
const steps = 20

/** Losses of training on one device. */
async function trained<B>(
  model: train.Trainable,
  objective: train.Objective<B>,
  batch: (step: number) => B,
): Promise<number[]> {
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }))
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    using launched = train.launchStep(objective, optimizer, [batch(step)], { lr: 3e-3, maxGradNorm: 1, seed: 3, step })
    losses.push(await launched.loss.item())
  }
  return losses
}

/** Each step's rounding moves all that follow: within a few units of float32's, more so as steps add up. */
function expectFollows(got: readonly number[], expected: readonly number[]): void {
  expected.forEach((loss, step) => {
    expect(Math.abs((got[step] as number) - loss), `step ${step}`).toBeLessThan(2 ** -24 * 32 * (step + 1) * loss)
  })
}

function t5(on: On): T5ForConditionalGeneration {
  return new T5ForConditionalGeneration(t5Config, { seed: 5, device: on })
}

describe.skipIf(devices.length === 0)('on a GPU', { timeout: 120_000 }, () => {
  test('T5 trains as on the CPU', async () => {
    const run = async (on: On) => {
      using model = t5(on)
      expect(model.device).toBe(on === 'cpu' ? 'cpu' : 'cuda:0')
      return await trained(model, train.lossObjective(model), batchOf)
    }
    const expected = await run('cpu')
    expectFollows(await run('cuda'), expected)
    expect(expected.at(-1)).toBeLessThan(expected[0] as number)
  })

  test('ELECTRA trains as on the CPU, generator and discriminator together', async () => {
    const run = async (on: On) => {
      using model = electra(on)
      return await trained(model, train.jointObjective(model), jointBatch)
    }
    const expected = await run('cpu')
    expectFollows(await run('cuda'), expected)
    expect(expected.at(-1)).toBeLessThan(expected[0] as number)
  })

  test('draws of replacement tokens are those of the CPU while logits are equal', async () => {
    const run = async (on: On) => {
      using model = electra(on)
      const { replacedInputIds: _, ...batch } = jointBatch(1)
      model.setRandom({ seed: 9, step: 2 })
      const { corruptedIds, isReplaced } = noGrad(() => model.forward(batch))
      return await Promise.all([corruptedIds.data(), isReplaced.data()])
    }
    expect(await run('cuda')).toEqual(await run('cpu'))
  })

  test('generation gives the ids of the CPU: greedy, beams, samples', async () => {
    const run = async (on: On) => {
      using model = t5(on).eval()
      const inputIds = [
        [3, 9, 4, 1],
        [8, 8, 20, 5],
      ]
      const attentionMask = [
        [1, 1, 1, 1],
        [1, 1, 0, 0],
      ]
      const base = { maxNewTokens: 8, minNewTokens: 4 }
      return await Promise.all(
        [
          { ...base, repetitionPenalty: 1.3, noRepeatNgramSize: 3 },
          { ...base, numBeams: 3, numReturnSequences: 2, suppressTokens: [7] },
          { ...base, doSample: true, topK: 9, topP: 0.9, temperature: 0.8, seed: 6 },
          { ...base, doSample: true, numBeams: 2, seed: 6 },
        ].map(async (options) => (await model.generate({ inputIds, attentionMask }, options)).sequences),
      )
    }
    expect(await run('cuda')).toEqual(await run('cpu'))
  })

  test('training goes on where another device left it, with averages', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'duoformer-cuda-'))
    const run = async (on: On, maxSteps: number, resume: boolean, where?: string) => {
      using model = t5(on)
      using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }))
      using trainer = new train.Trainer({
        ...{ objective: train.lossObjective(model), optimizer, data: new Batches(), lr: 3e-3, seed: 11, maxSteps },
        averages: { decay: 0.9 },
        ...(where === undefined ? {} : { checkpoints: { dir: where } }),
      })
      if (resume) expect(await trainer.resume()).toBe(true)
      const losses: number[] = []
      for await (const event of trainer.run()) if (event.type === 'step') losses.push(event.loss)
      return losses
    }
    try {
      const whole = await run('cpu', 8, false)
      for (const [from, to] of [
        ['cpu', 'cuda'],
        ['cuda', 'cpu'],
      ] as const) {
        const where = join(dir, from)
        expectFollows([...(await run(from, 4, false, where)), ...(await run(to, 8, true, where))], whole)
      }
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  test('models that are saved on one device load on the other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'duoformer-cuda-'))
    try {
      const config = parseElectraConfig({ ...electraJson, num_labels: 3 })
      const inputs = { inputIds: [[5, 6, 7, 8]] }
      const logitsOf = async (model: ElectraForSequenceClassification) => {
        using logits = noGrad(() => model.forward(inputs).logits)
        return await logits.data()
      }
      for (const [from, to] of [
        ['cpu', 'cuda'],
        ['cuda', 'cpu'],
      ] as const) {
        using first = new ElectraForSequenceClassification(config, { seed: 8, device: from }).eval()
        await first.savePretrained(join(folder, from))
        using second = await ElectraForSequenceClassification.fromPretrained(join(folder, from), { device: to })
        expect(second.device.slice(0, 4)).toBe(to.slice(0, 4))
        const [a, b] = [await logitsOf(first), await logitsOf(second)]
        a.forEach((value, i) => {
          expect(Math.abs((b[i] as number) - value)).toBeLessThan(1e-5)
        })
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
