// Latency promises of models, beside those of test/native/timing.test.ts.
import { describe, expect, test } from 'vitest'
import {
  ElectraModel,
  noGrad,
  parseElectraConfig,
  parseT5Config,
  scope,
  T5ForConditionalGeneration,
} from '../../lib/index.ts'
import { delayP99 } from '../event-loop.ts'

// A step queues all of its ops in one go: what JavaScript does for them is what the event loop waits for.
const most = 5

async function expectPrompt(what: string, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 3; i++) await work() // until the JavaScript is compiled
  const p99 = await delayP99(work)
  console.log(`event-loop delay p99, ${what}: ${p99.toFixed(2)} ms (median of 5)`)
  expect(p99, what).toBeLessThan(most)
}

describe('the event loop is delayed by less than 5 ms (p99)', { timeout: 120_000 }, () => {
  test('by generation with T5-small', async () => {
    using model = new T5ForConditionalGeneration(parseT5Config({}), { seed: 1 }).eval()
    const inputIds = [Array.from({ length: 32 }, (_, i) => 3 + 31 * i)]
    const options = { maxNewTokens: 32, suppressTokens: [1] }
    await expectPrompt('greedy', () => model.generate({ inputIds }, options))
    await expectPrompt('4 beams', () => model.generate({ inputIds }, { ...options, numBeams: 4 }))
  })

  test.each([
    [1, 32],
    [8, 128],
    [1, 512],
  ])('by a forward pass of ELECTRA-small, %i x %i tokens', async (batch, length) => {
    using model = new ElectraModel(parseElectraConfig({}), { seed: 1 }).eval()
    const inputIds = Array.from({ length: batch }, () => Array.from({ length }, (_, i) => 3 + i))
    await expectPrompt(`${batch} x ${length}`, async () => {
      using hidden = noGrad(() => scope(() => model.forward({ inputIds }).lastHiddenState))
      await hidden.data()
    })
  })
})
