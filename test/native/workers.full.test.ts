import { expect, test } from 'vitest'
import { churn, footprint } from './workers.ts'

test('200 workers are terminated with work in flight: nothing aborts, nothing leaks', {
  timeout: 600_000,
}, async () => {
  await churn(20, 4)
  const before = footprint()
  await churn(180, 4)
  const after = footprint()
  console.log(`workers: RSS ${(before.rssBytes / 1e6).toFixed(0)} MB → ${(after.rssBytes / 1e6).toFixed(0)} MB`)
  expect(after.threads).toBeLessThanOrEqual(before.threads)
  expect(after.files).toBeLessThanOrEqual(before.files)
  // The warm-up's heaps vary by as much; 180 leaked workers would be hundreds of megabytes.
  expect(after.rssBytes - before.rssBytes).toBeLessThan(0.1 * before.rssBytes + 16e6)
})
