import { describe, expect, test } from 'vitest'
import { schema } from '../../lib/native/schema.generated.ts'
import { cases } from '../cases/index.ts'
import { type Comparison, checkBackward, checkForward, checkReference } from '../harness.ts'

function expectWithin(comparisons: readonly Comparison[]): void {
  for (const { what, error, tolerance } of comparisons) {
    expect(error, `${what}: error ${error}, tolerance ${tolerance}`).toBeLessThanOrEqual(tolerance)
  }
}

describe('every op of the registry', () => {
  const covered = new Set(cases.flatMap((c) => c.covers))
  test.each(schema.map((op) => op.name))('%s has a case', (name) => expect(covered).toContain(name))
  test.each(schema.map((op) => [op.name, op.cpu] as const))('%s has a CPU kernel', (_, cpu) => expect(cpu).toBe(true))
  test('case names are unique', () => expect(new Set(cases.map((c) => c.name)).size).toBe(cases.length))
})

const tested = cases.filter((c) => c.flops === undefined)

describe('forward against the float64 reference', () => {
  test.each(tested.map((c) => [c.name, c] as const))('%s', async (_, c) =>
    expectWithin(await checkForward(c, 'float32')),
  )
})

describe('forward in 16 bits', () => {
  const floats = tested.filter((c) => c.sixteenBit !== false)
  for (const dtype of ['float16', 'bfloat16'] as const) {
    test.each(floats.map((c) => [c.name, c] as const))(`${dtype} %s`, async (_, c) =>
      expectWithin(await checkForward(c, dtype)),
    )
  }
})

const gradients = tested.filter((c) => c.gradient)

describe('backward against the reference backward, random cotangents', () => {
  test.each(gradients.map((c) => [c.name, c] as const))('%s', async (_, c) => expectWithin(await checkBackward(c)))
})

describe('reference backward against central differences in float64', () => {
  test.each(gradients.filter((c) => c.centralDifferences !== false).map((c) => [c.name, c] as const))('%s', (_, c) => {
    for (const { what, error } of checkReference(c)) expect(error, what).toBeLessThan(1e-6)
  })
})
