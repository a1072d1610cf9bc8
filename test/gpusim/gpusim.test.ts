// The simulator's own tests, a program of C++: instructions, control flow, matrices, and broken kernels that it must find.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('../../build/cuda/gpusim_selftest', import.meta.url))

test('instructions have the values of the PTX ISA, and every broken kernel is found', () => {
  const output = execFileSync(program, { encoding: 'utf8' })
  const [, passed, failed] = /(\d+) passed, (\d+) failed/.exec(output) ?? []
  expect(Number(failed), output).toBe(0)
  expect(Number(passed)).toBeGreaterThan(200)
})
