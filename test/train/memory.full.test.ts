import { expect, test } from 'vitest'
import { device } from '../../lib/index.ts'
import { pretrainingOf } from './pretraining.ts'

/** Resident bytes besides V8's heap, whose spaces the collector resizes by 16 MB when it sees fit. */
function residentBytes(): number {
  const { rss, heapTotal } = process.memoryUsage()
  return rss - heapTotal
}

test('memory is flat over 1,000 steps of pre-training', { timeout: 600_000 }, async () => {
  const sizes = {
    embedding_size: 32,
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 1,
    intermediate_size: 128,
  }
  using pretraining = await pretrainingOf(sizes, 8, 64)
  const at: { live: number; tensors: number; resident: number; cached: number }[] = []
  // Before, the compiler and the collector of V8 take what they need.
  for await (const event of pretraining.run(2000)) {
    if (event.type === 'step' && event.step >= 1000 && event.step % 100 === 0) {
      await device().synchronize()
      at.push({ ...device().memory(), resident: residentBytes() })
    }
  }
  const [first, last] = [at[0] as (typeof at)[number], at.at(-1) as (typeof at)[number]]
  const growth = (last.resident - first.resident) / 1000
  console.log(`RSS grows by ${growth.toFixed(0)} bytes a step, tensors ${first.tensors} to ${last.tensors}`)
  // Two steps are on their way, whose results are tensors.
  expect(Math.abs(last.tensors - first.tensors)).toBeLessThan(20)
  expect(last.live).toBeLessThanOrEqual(first.live * 1.05)
  expect(growth).toBeLessThan(4096)
})
