import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { device, ops, optim, T5ForConditionalGeneration, type T5Inputs, type Tensor, train } from '../../lib/index.ts'
import { Batches, batchOf, bytesOf, type Setup, setup } from './tiny.ts'

let dir: string
let tensors: number
beforeEach(async () => {
  await device().synchronize()
  tensors = device().memory().tensors
  dir = mkdtempSync(join(tmpdir(), 'trainer-'))
})
afterEach(() => {
  rmSync(dir, { recursive: true })
  expect(device().memory().tensors).toBe(tensors)
})

interface Ran {
  readonly events: train.TrainingEvent[]
  readonly steps: train.StepEvent[]
  readonly weights: string
  readonly end: train.EndEvent
}

/** Runs to the end and gives everything back. */
async function run({ model, optimizer, options }: Setup, resume: boolean | string = false): Promise<Ran> {
  try {
    using trainer = new train.Trainer(options)
    if (resume) expect(await trainer.resume(resume === true ? undefined : resume)).toBe(true)
    const events: train.TrainingEvent[] = []
    for await (const event of trainer.run()) events.push(event)
    const steps = events.filter((event) => event.type === 'step')
    return { events, steps, weights: await bytesOf(model), end: events.at(-1) as train.EndEvent }
  } finally {
    optimizer.dispose()
    model.dispose()
  }
}

describe('a run', () => {
  it('tells each step and its end, and learns', async () => {
    const { events, steps, end } = await run(setup({ maxSteps: 30, data: new Batches() }))
    expect(events).toHaveLength(31)
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    expect(steps[0]).toMatchObject({ lr: 0, skipped: false, targets: { loss: 10 } })
    expect(steps[1]?.lr).toBeCloseTo(0.01 / 3, 12)
    expect(steps[0]?.terms.loss).toBe(steps[0]?.loss)
    expect(steps[29]?.loss).toBeLessThan((steps[0]?.loss ?? 0) - 0.3)
    expect(end).toEqual({ type: 'end', step: 30, reason: 'maxSteps', skipped: 0 })
  })

  it('is the same with the same seed, and another with another', async () => {
    const first = await run(setup({ maxSteps: 4 }))
    expect((await run(setup({ maxSteps: 4 }))).weights).toBe(first.weights)
    expect((await run(setup({ maxSteps: 4, seed: 12 }))).weights).not.toBe(first.weights)
  })

  it('is the same with activation checkpointing', async () => {
    const plain = await run(setup({ maxSteps: 3 }))
    expect((await run(setup({ maxSteps: 3, activationCheckpointing: true }))).weights).toBe(plain.weights)
  })

  it('ends with the data, and takes the micro-batches that are left', async () => {
    const { steps, end } = await run(setup({ data: new Batches(5), accumulate: 2 }))
    expect(steps.map(({ targets }) => targets.loss)).toEqual([20, 20, 10])
    expect(end.reason).toBe('dataEnd')
  })

  it('ends when its signal is aborted, after the step', async () => {
    const controller = new AbortController()
    const { model, optimizer, options } = setup({
      signal: controller.signal,
      checkpoints: { dir },
    })
    const seen: string[] = []
    for await (const event of new train.Trainer(options).run()) {
      seen.push(event.type)
      if (event.type === 'step' && event.step === 3) controller.abort()
    }
    expect(seen.slice(3)).toEqual(['step', 'save', 'end'])
    expect(existsSync(join(dir, 'step-4', 'training.json'))).toBe(true)
    optimizer.dispose()
    model.dispose()
  })

  it('may be left in the middle', async () => {
    const { model, optimizer, options } = setup()
    const trainer = new train.Trainer(options)
    for await (const event of trainer.run()) if (event.type === 'step' && event.step === 2) break
    expect(model.training).toBe(true)
    await expect(trainer.run().next()).rejects.toThrow(/expected one run, got a second/)
    optimizer.dispose()
    model.dispose()
  })

  it('leaves frozen parameters as they are', async () => {
    const { model, options, ...rest } = setup({ maxSteps: 3 })
    rest.optimizer.dispose()
    optim.freeze(model.namedParameters(), /^encoder\./)
    const before = await model.trunk.encoder.finalNorm.weight.data()
    const shared = await model.trunk.shared.weight.data()
    const optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters()))
    for await (const _ of new train.Trainer({ ...options, optimizer }).run());
    expect(await model.trunk.encoder.finalNorm.weight.data()).toEqual(before)
    expect(await model.trunk.shared.weight.data()).not.toEqual(shared)
    optimizer.dispose()
    model.dispose()
  })
})

describe('micro-batches', () => {
  it('of unequal numbers of targets add up to what their whole gives', async () => {
    const whole: T5Inputs = {
      inputIds: [
        [3, 4, 5],
        [6, 7, 8],
        [9, 10, 11],
      ],
      labels: [
        [5, 4, 1],
        [6, -100, -100],
        [7, 8, -100],
      ],
    }
    const parts = [[0], [1, 2]].map((rows) => ({
      inputIds: rows.map((row) => (whole.inputIds as number[][])[row] as number[]),
      labels: rows.map((row) => (whole.labels as number[][])[row] as number[]),
    }))
    const results = []
    for (const batches of [[whole], parts]) {
      const { model, optimizer, options } = setup()
      model.eval()
      using launched = train.launchStep(options.objective, optimizer, batches, { lr: 0 })
      results.push({ loss: await launched.loss.item(), norm: await launched.gradNorm.item() })
      expect(launched.targets).toEqual({ loss: 6 })
      optimizer.dispose()
      model.dispose()
    }
    const [a, b] = results as [(typeof results)[0], (typeof results)[0]]
    expect(Math.abs(a.loss - b.loss)).toBeLessThan(4e-7 * a.loss)
    expect(Math.abs(a.norm - b.norm)).toBeLessThan(2e-6 * a.norm)
  })

  it('without any target are refused', () => {
    const { model, optimizer, options } = setup()
    const batch = { inputIds: [[3]], labels: [[-100]] }
    expect(() => train.launchStep(options.objective, optimizer, [batch], { lr: 1 })).toThrow(
      /with targets, got 1 without/,
    )
    optimizer.dispose()
    model.dispose()
  })
})

describe('a step that is not finite', () => {
  /** Spoils the loss of the third batch. */
  function spoiled(spoil: (loss: Tensor) => Tensor, more: Partial<train.TrainerOptions<T5Inputs>> = {}): Setup {
    const made = setup({ maxSteps: 5, ...more })
    const { objective } = made.options
    let batch = 0
    const losses = (inputs: T5Inputs) => {
      const { loss } = objective.losses(inputs)
      return { loss: batch++ === 2 ? spoil(loss as Tensor) : (loss as Tensor) }
    }
    return { ...made, options: { ...made.options, objective: { ...objective, losses } } }
  }

  const spoils: [string, (loss: Tensor) => Tensor][] = [
    ['infinite gradients', (loss) => ops.scale(loss, Infinity)],
    ['an infinite loss with finite gradients', (loss) => ops.add(loss, Infinity)],
    ['NaN', (loss) => ops.scale(loss, Number.NaN)],
  ]
  it.each(spoils)('for %s changes nothing, and is counted', async (_, spoil) => {
    const { steps, end } = await run(spoiled(spoil, { averages: { decay: 0.5 } }))
    expect(steps.map(({ skipped }) => skipped)).toEqual([false, false, true, false, false])
    expect(end).toMatchObject({ step: 5, skipped: 1 })
    const { steps: before, weights: then } = await run(setup({ maxSteps: 2 }))
    const { weights: after } = await run(spoiled(spoil, { maxSteps: 3 }))
    expect(before).toHaveLength(2)
    expect(after).toBe(then)
  })

  it.each(spoils)('for %s ends the run where it is to', async (_, spoil) => {
    const { steps, end, weights } = await run(spoiled(spoil, { onNonFinite: 'stop' }))
    expect(steps).toHaveLength(3)
    expect(end).toMatchObject({ reason: 'nonFinite', step: 3, skipped: 1 })
    expect(weights).toBe((await run(setup({ maxSteps: 2 }))).weights)
  })
})

describe('a resumed run', () => {
  const kinds: [string, Partial<train.TrainerOptions<T5Inputs>>][] = [
    ['plain', {}],
    ['with micro-batches and averages', { accumulate: 2, averages: { decay: 0.9 } }],
  ]
  it.each(kinds)('%s ends with the bits of one that was not interrupted', async (_, more) => {
    const whole = await run(setup({ maxSteps: 9, ...more }))
    await run(setup({ maxSteps: 4, checkpoints: { dir }, data: new Batches(), ...more }))
    const rest = await run(setup({ maxSteps: 9, checkpoints: { dir }, data: new Batches(), ...more }), true)
    expect(rest.steps.map(({ step, loss }) => [step, loss])).toEqual(
      whole.steps.slice(4).map(({ step, loss }) => [step, loss]),
    )
    expect(rest.weights).toBe(whole.weights)
    expect(readdirSync(dir)).toEqual(['step-9'])
    using loaded = await T5ForConditionalGeneration.fromPretrained(join(dir, 'step-9'))
    expect(await bytesOf(loaded)).toBe(whole.weights)
    if (more.averages) {
      using averaged = await T5ForConditionalGeneration.fromPretrained(join(dir, 'step-9', 'averages'))
      expect(await bytesOf(averaged)).not.toBe(whole.weights)
    }
  })

  it.each([
    ['sgd', (groups: optim.ParameterGroup[]) => new optim.SGD(groups, { momentum: 0.9 })],
    ['adagrad', (groups: optim.ParameterGroup[]) => new optim.Adagrad(groups)],
    ['adafactor', (groups: optim.ParameterGroup[]) => new optim.Adafactor(groups, { beta1: 0.9 })],
  ])('goes on with the states of %s', async (_, make) => {
    const made = (maxSteps: number) => {
      const { model, optimizer, options } = setup({ maxSteps, checkpoints: { dir }, data: new Batches() })
      optimizer.dispose()
      const own = make(optim.parameterGroups(model.namedParameters()))
      return { model, optimizer: own, options: { ...options, optimizer: own } }
    }
    const whole = await run(made(5))
    rmSync(join(dir, 'step-5'), { recursive: true })
    await run(made(2))
    expect((await run(made(5), true)).weights).toBe(whole.weights)
  })

  it('removes what a killed process left, also where nothing is left to train', async () => {
    await run(setup({ maxSteps: 2, checkpoints: { dir }, data: new Batches() }))
    mkdirSync(join(dir, '.duoformer-stray'))
    writeFileSync(join(dir, '.duoformer-stray', 'lock'), '')
    await run(setup({ maxSteps: 2, checkpoints: { dir }, data: new Batches() }), true)
    expect(readdirSync(dir)).toEqual(['step-2'])
  })

  it('starts from the beginning where there is nothing, and refuses what does not fit', async () => {
    const { model, optimizer, options } = setup({ maxSteps: 2, checkpoints: { dir: join(dir, 'none') } })
    expect(await new train.Trainer(options).resume()).toBe(false)
    const other = (more: object) => new train.Trainer({ ...options, ...more }).resume(join(dir, 'step-2'))
    await run(setup({ maxSteps: 2, checkpoints: { dir } }))
    await expect(other({ seed: 1 })).rejects.toThrow(/expected seed 11 as in .*step-2, got 1/)
    await expect(other({ lr: 1 })).rejects.toThrow(/expected lr 0\.01/)
    await expect(other({ schedule: { type: 'constant' } })).rejects.toThrow(/expected schedule/)
    const sgd = new optim.SGD(model.parameters())
    await expect(other({ optimizer: sgd })).rejects.toThrow(/expected optimizer SGD, got AdamW/)
    await expect(new train.Trainer(options).resume(dir)).rejects.toThrow(/expected training\.json/)
    sgd.dispose()
    optimizer.dispose()
    model.dispose()
  })
})

describe('evaluations', () => {
  /** Values that the metric takes, one after the other. */
  const scores = (values: number[]) => {
    const left = [...values]
    return { every: 1, metric: 'score', run: async () => ({ score: left.shift() as number }) }
  }

  it('keep the best and the last checkpoints, and end a run that gets no better', async () => {
    const evaluate = { ...scores([3, 5, 4, 5, 2, 9]), patience: 3 }
    const { events, end } = await run(setup({ maxSteps: 9, evaluate, checkpoints: { dir, keepBest: 2 } }))
    const evaluated = events.filter((event) => event.type === 'evaluate')
    expect(evaluated.map(({ best }) => best)).toEqual([true, true, false, false, false])
    expect(end).toMatchObject({ reason: 'earlyStopping', step: 5 })
    expect(readdirSync(dir).sort()).toEqual(['step-2', 'step-4', 'step-5'])
  })

  it('remember the best checkpoint when a run is resumed', async () => {
    const first = setup({ maxSteps: 3, evaluate: scores([3, 9, 4]), checkpoints: { dir, keepBest: 1 } })
    await run(first)
    const { model, optimizer, options } = setup({
      maxSteps: 5,
      evaluate: scores([5, 6]),
      checkpoints: { dir, keepBest: 1 },
    })
    using trainer = new train.Trainer(options)
    expect(trainer.bestCheckpoint).toBe(null)
    expect(await trainer.resume()).toBe(true)
    for await (const _ of trainer.run());
    expect(trainer.bestCheckpoint).toBe(join(dir, 'step-2'))
    const last = await bytesOf(model)
    await train.loadWeights(model, join(dir, 'step-2'))
    const best = await bytesOf(model)
    expect(best).not.toBe(last)
    const { model: again, optimizer: other } = setup()
    await train.loadWeights(again, join(dir, 'step-2'))
    expect(await bytesOf(again)).toBe(best)
    for (const each of [model, again, optimizer, other]) each.dispose()
  })

  it('may be better when they are less, and count from an improvement of minDelta', async () => {
    const evaluate = { ...scores([5, 4.9, 4.8, Number.NaN, 1]), mode: 'min', minDelta: 0.5, patience: 3 } as const
    const { end, events } = await run(setup({ maxSteps: 9, evaluate }))
    expect(end).toMatchObject({ reason: 'earlyStopping', step: 4 })
    expect(events.filter((event) => event.type === 'evaluate').map(({ best }) => best)).toEqual([
      true,
      true,
      true,
      false,
    ])
  })

  it('do not disturb the run, drop nothing, and see the averages', async () => {
    const plain = await run(setup({ maxSteps: 4, averages: { decay: 0.5 } }))
    const seen: string[] = []
    const evaluate = {
      every: 2,
      run: async (model: train.Trainable) => {
        expect(model.training).toBe(false)
        seen.push(await bytesOf(model as T5ForConditionalGeneration))
        return {}
      },
    }
    const { weights } = await run(setup({ maxSteps: 4, averages: { decay: 0.5 }, evaluate }))
    expect(weights).toBe(plain.weights)
    expect(seen).toHaveLength(2)
    expect(seen[1]).not.toBe(weights)
  })

  it('go on counting in a resumed run', async () => {
    const first = setup({ maxSteps: 2, evaluate: { ...scores([5, 4]), patience: 3 }, checkpoints: { dir } })
    await run(first)
    const second = { maxSteps: 9, evaluate: { ...scores([4, 4, 4]), patience: 3 }, checkpoints: { dir } }
    expect((await run(setup(second), true)).end).toMatchObject({ reason: 'earlyStopping', step: 4 })
  })

  it('without the metric are refused', async () => {
    const evaluate = { every: 1, metric: 'f1', run: async () => ({ accuracy: 1 }) }
    await expect(run(setup({ evaluate }))).rejects.toThrow(/expected evaluate to give f1, got string "accuracy"/)
  })
})

describe('moving averages', () => {
  it('follow the parameters, and change places with them', async () => {
    const { model, optimizer } = setup()
    const named = model.namedParameters()
    const weight = model.trunk.shared.weight
    const averages = new optim.MovingAverages(named, { decay: 0.75 })
    const start = await weight.data()
    using launched = train.launchStep(train.lossObjective(model), optimizer, [batchOf(0)], { lr: 0.1 })
    expect(Number.isFinite(await launched.guard.item())).toBe(true)
    averages.update()
    const now = await weight.data()
    const average = await (averages.averages.get('shared.weight') as Tensor).data()
    average.forEach((value, i) => {
      expect(value).toBeCloseTo(0.75 * (start[i] as number) + 0.25 * (now[i] as number), 6)
    })
    averages.swap()
    expect(await weight.data()).toEqual(average)
    averages.swap()
    expect(await weight.data()).toEqual(now)
    averages.dispose()
    optimizer.dispose()
    model.dispose()
  })
})

describe('options are refused', () => {
  it.each([
    [{ lr: -1 }, /expected lr to be a number >= 0, got number -1/],
    [{ accumulate: 0 }, /expected accumulate to be an integer >= 1/],
    [{ maxSteps: 1.5 }, /expected maxSteps/],
    [{ schedule: { type: 'liner' } }, /schedule: expected type/],
    [{ averages: { decay: 1 } }, /expected decay in \[0, 1\), got 1/],
    [{ evaluate: { every: 0 } }, /expected evaluate\.every/],
    [{ evaluate: { every: 1, patience: 2 } }, /expected evaluate\.metric with evaluate\.patience/],
    [{ checkpoints: { dir: 'x', keepBest: 1 } }, /expected evaluate\.metric with checkpoints\.keepBest/],
    [{ checkpoints: { dir: 'x' }, data: (async function* () {})() }, /expected data with state and restore/],
  ])('%o', (more, message) => {
    const { model, optimizer, options } = setup()
    expect(() => new train.Trainer({ ...options, ...(more as object) })).toThrow(message)
    optimizer.dispose()
    model.dispose()
  })
})
