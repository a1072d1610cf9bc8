import { it } from 'vitest'
import { expectCrashesToLeaveNoTrace } from './crash.ts'

it('a run that is killed three times ends with the bits of one that was not', async () => {
  await expectCrashesToLeaveNoTrace([60, 150, 260])
})
