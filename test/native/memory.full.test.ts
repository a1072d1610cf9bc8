import { expect, test } from 'vitest'
import { device } from '../../lib/index.ts'
import { rounds } from './memory.ts'

test('10,000 op, backward and dispose rounds: live bytes return to the start, RSS is flat', {
  timeout: 600_000,
}, async () => {
  await rounds(2000)
  const before = { ...device().memory(), rss: process.memoryUsage.rss() }
  await rounds(10_000)
  const after = { ...device().memory(), rss: process.memoryUsage.rss() }
  const bytesPerRound = (after.rss - before.rss) / 10_000
  console.log(`RSS grows by ${bytesPerRound.toFixed(0)} bytes a round`)
  expect(after).toMatchObject({ live: before.live, tensors: before.tensors })
  expect(bytesPerRound).toBeLessThan(1024)
})
