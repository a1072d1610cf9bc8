import { it } from 'vitest'
import { randomOf } from '../harness.ts'
import { expectCrashesToLeaveNoTrace } from './crash.ts'

it('a run that is killed at fifty random moments ends with the bits of one that was not', async () => {
  const random = randomOf(50)
  await expectCrashesToLeaveNoTrace(Array.from({ length: 50 }, () => random.uniform() * 500))
}, 900_000)
