import { expect, it } from 'vitest'
import { noGrad, T5ForConditionalGeneration, train } from '../../lib/index.ts'
import { config } from './tiny.ts'

const inputs = [
  [5, 6, 7, 1],
  [9, 1],
  [4, 4, 8, 2, 1],
].map((ids) => Int32Array.from(ids))
const targets = [
  [7, 1],
  [3, 12, 5, 1],
  [20, 9, 1],
].map((ids) => Int32Array.from(ids))

it('gives each target the log-probability of its tokens, one after the other', async () => {
  using model = new T5ForConditionalGeneration(config, { seed: 3 }).eval()
  for (const perToken of [false, true]) {
    const ranked = await train.rankTargets(model, inputs, targets, { batchSize: 2, perToken })
    for (const [i, ids] of inputs.entries()) {
      const expected: number[] = []
      for (const labels of targets) {
        // One text and one target at a time: the mean loss over its tokens.
        const { loss } = noGrad(() => model.forward({ inputIds: [[...ids]], labels: [[...labels]] }))
        const mean = await loss!.item()
        loss!.dispose()
        expected.push(perToken ? -mean : -mean * labels.length)
      }
      const { target, scores } = ranked[i]!
      // Up to four losses of about 3 nats, each to some units of float32's last place.
      for (const [t, score] of scores.entries()) expect(Math.abs(score - expected[t]!)).toBeLessThan(12 * 16 * 2 ** -24)
      expect(target).toBe(expected.indexOf(Math.max(...expected)))
    }
  }
})

it('needs two targets', async () => {
  using model = new T5ForConditionalGeneration(config, { seed: 3 }).eval()
  await expect(train.rankTargets(model, inputs, targets.slice(1, 2))).rejects.toThrow('expected two targets or more')
})
