import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { runFixtures } from '../fixtures/run.ts'

const golden = fileURLToPath(new URL('../golden', import.meta.url))

it.each([
  ['t5', 3],
  ['electra', 2],
  ['loading', 4],
  ['generation', 1],
  ['sampling', 1],
])('all %s cases pass', async (folder, cases) => {
  const lines: string[] = []
  const summary = await runFixtures(join(golden, folder), (line) => lines.push(line))
  expect(lines.join('\n')).not.toContain('FAIL')
  expect(summary).toEqual({ passed: cases, failed: 0, skipped: 0 })
})
