// Training in float16: the scale of the loss, and what a step makes of it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { device, optim, T5ForConditionalGeneration, train } from '../../lib/index.ts'
import { LossScale } from '../../lib/train/loss-scale.ts'
import { batchOf, config } from './tiny.ts'

describe('LossScale', () => {
  test('halves after an overflow, two steps later, and doubles after 2,000 good steps', () => {
    const scale = new LossScale()
    scale.at(0)
    scale.record({ step: 0, overflowed: true })
    expect(scale.at(1)).toBe(2 ** 16)
    scale.record({ step: 1, overflowed: false })
    expect(scale.at(2)).toBe(2 ** 15)
    for (let step = 2; step <= 2000; step++) scale.record({ step, overflowed: false })
    expect(scale.at(2001)).toBe(2 ** 15)
    expect(scale.at(2002)).toBe(2 ** 16)
  })

  test('is between 1 and 2^24', () => {
    const scale = new LossScale()
    for (let step = 0; step < 40; step++) scale.record({ step, overflowed: true })
    expect(scale.at(100)).toBe(1)
    for (let step = 100; step < 100 + 2000 * 40; step++) scale.record({ step, overflowed: false })
    expect(scale.at(10 ** 6)).toBe(2 ** 24)
  })

  test('goes on where its state was taken, with what does not count yet', () => {
    const [one, other] = [new LossScale(), new LossScale()]
    for (let step = 0; step < 5; step++) one.record({ step, overflowed: step > 2 })
    one.at(5)
    other.restore(JSON.parse(JSON.stringify(one.state())))
    expect(other.at(5)).toBe(one.at(5))
    expect(other.at(6)).toBe(2 ** 14)
  })
})

describe('a step', () => {
  let tensors = 0
  beforeEach(() => {
    tensors = device().memory().tensors
  })
  afterEach(() => expect(device().memory().tensors).toBe(tensors))

  /** Losses of some steps, the values of the parameters after them, and how many steps were left out. */
  async function run(lossScale: number, dtype: 'float32' | 'float16') {
    using model = new T5ForConditionalGeneration(config, { seed: 5 })
    model.computeDtype = dtype
    using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), {}))
    const losses: number[] = []
    for (let step = 0; step < 3; step++) {
      const settings = { lr: 1e-2, step, lossScale }
      using launched = train.launchStep(train.lossObjective(model), optimizer, [batchOf(step)], settings)
      losses.push(await launched.loss.item())
    }
    const values = await Promise.all(model.parameters().map((parameter) => parameter.data()))
    return { losses, values, skipped: await optimizer.skipped.item() }
  }

  test('in float32 gives the same bits whatever the scale', async () => {
    expect(await run(2 ** 10, 'float32')).toEqual(await run(1, 'float32'))
  })

  test('whose float16 gradients overflow changes nothing', async () => {
    const { losses, skipped } = await run(2 ** 24, 'float16')
    expect(skipped).toBe(3)
    expect(losses.every(Number.isFinite)).toBe(true)
    expect((await run(2 ** 10, 'float16')).skipped).toBe(0)
  })
})

test('a trainer finds a scale that float16 gradients fit', async () => {
  using model = new T5ForConditionalGeneration(config, { seed: 5 })
  model.computeDtype = 'float16'
  using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), {}))
  async function* batches() {
    for (let step = 0; step < 40; step++) yield batchOf(step)
  }
  const data = { [Symbol.asyncIterator]: batches }
  using trainer = new train.Trainer({ objective: train.lossObjective(model), optimizer, data, lr: 1e-2 })
  const skipped: boolean[] = []
  const losses: number[] = []
  for await (const event of trainer.run()) {
    if (event.type !== 'step') continue
    skipped.push(event.skipped)
    losses.push(event.loss)
  }
  // The first scale is too large for this model's gradients, or fits: from some step on, none is left out.
  const last = skipped.lastIndexOf(true)
  expect(last).toBeLessThan(20)
  expect(losses.at(-1)).toBeLessThan(losses[0] as number)
})
