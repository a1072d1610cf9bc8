import { expect, test } from 'vitest'
import { device } from '../../lib/index.ts'
import { rounds } from './memory.ts'

/** Resident bytes besides V8's heap, whose spaces the collector resizes by 16 MB when it sees fit. */
function residentBytes(): number {
  const { rss, heapTotal } = process.memoryUsage()
  return rss - heapTotal
}

test('10,000 op, backward and dispose rounds: live bytes return to the start, RSS is flat', {
  timeout: 600_000,
}, async () => {
  await rounds(2000)
  const before = { ...device().memory(), resident: residentBytes() }
  await rounds(10_000)
  const after = { ...device().memory(), resident: residentBytes() }
  const bytesPerRound = (after.resident - before.resident) / 10_000
  console.log(`RSS grows by ${bytesPerRound.toFixed(0)} bytes a round`)
  expect(after).toMatchObject({ live: before.live, tensors: before.tensors })
  expect(bytesPerRound).toBeLessThan(1024)
})
