import { expect, test } from 'vitest'
import { type Churn, churn } from './workers.ts'

/** What each worker left behind in its process, on average. */
async function leftBehind(options: Churn) {
  const { before, after } = await churn(options)
  const each = (what: keyof typeof before) => (after[what] - before[what]) / options.workers
  const left = { bytes: each('rssBytes'), threads: each('threads'), files: each('files') }
  console.log(`${options.workers} workers, each left:`, left)
  return left
}

// The smallest thing of a worker's that is worth leaking is its op buffer, of 512 KiB; its tensors have 1 MiB.
const bound = 64 * 1024

test('200 workers are terminated with work in flight: nothing aborts, nothing leaks', {
  timeout: 600_000,
}, async () => {
  const left = await leftBehind({ warmUp: 20, workers: 200, atOnce: 4 })
  expect(left.bytes).toBeLessThan(bound)
  expect(left.threads).toBeLessThanOrEqual(0)
  expect(left.files).toBeLessThanOrEqual(0)
})

test.each([
  ['bytes', bound],
  ['files', 0],
  ['threads', 0],
] as const)('a leak of %s would be seen', { timeout: 300_000 }, async (leak, most) => {
  const left = await leftBehind({ warmUp: 20, workers: 8, atOnce: 4, leak })
  expect(left[leak]).toBeGreaterThan(most)
})
