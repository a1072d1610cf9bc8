// Latency promises of training, beside those of test/native/timing.test.ts.
import { expect, test } from 'vitest'
import { delayP99 } from '../event-loop.ts'
import { pretrainingOf } from './pretraining.ts'

test('pre-training of ELECTRA-small delays the event loop by less than 5 ms (p99)', { timeout: 240_000 }, async () => {
  using pretraining = await pretrainingOf({ num_hidden_layers: 12 }, 8, 128)
  const steps = async (count: number) => {
    for await (const _ of pretraining.run(count));
  }
  await steps(6) // until the JavaScript is compiled
  const p99 = await delayP99(() => steps(4))
  console.log(`event-loop delay p99, pre-training: ${p99.toFixed(2)} ms (median of 5)`)
  expect(p99).toBeLessThan(5)
})
