// The op suite on a device: the same cases, references and tolerances as on the CPU. Cases that need an op without a CUDA
// column are left out, and counted.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeviceError, runtimeInfo, setDefaultDevice } from '../../lib/index.ts'
import { schema } from '../../lib/native/schema.generated.ts'
import { cases } from '../cases/index.ts'
import { type Comparison, checkBackward, checkForward } from '../harness.ts'

const { devices, problem } = runtimeInfo().cuda
if (devices.length === 0) console.log(`skipped: the op suite on a GPU (${problem})`)

const withKernel = new Set(schema.filter((op) => op.cuda).map((op) => op.name as string))
const tested = cases.filter((c) => c.flops === undefined && c.covers.some((op) => withKernel.has(op)))
const missing = new Set<string>()

/** Runs a check; an op that has no CUDA column yet ends it. */
async function expectWithin(check: () => Promise<Comparison[]>): Promise<void> {
  let comparisons: Comparison[]
  try {
    comparisons = await check()
  } catch (error) {
    const op = error instanceof DeviceError && /^(\w+): expected an op that has a CUDA kernel/.exec(error.message)?.[1]
    if (!op) throw error
    missing.add(op)
    return
  }
  for (const { what, error, tolerance } of comparisons) {
    expect(error, `${what}: error ${error}, tolerance ${tolerance}`).toBeLessThanOrEqual(tolerance)
  }
}

describe.skipIf(devices.length === 0)('on a GPU', () => {
  beforeAll(() => setDefaultDevice('cuda'))
  afterAll(() => {
    setDefaultDevice('cpu')
    if (missing.size > 0) console.log(`cases ended at ops without a CUDA kernel: ${[...missing].sort().join(', ')}`)
  })

  test('ops of the registry have cases', () => {
    const covered = new Set(tested.flatMap((c) => c.covers))
    expect([...withKernel].filter((op) => !covered.has(op))).toEqual([])
  })
  test.each(tested.map((c) => [c.name, c] as const))('%s', (_, c) => expectWithin(() => checkForward(c, 'float32')))
  for (const dtype of ['float16', 'bfloat16'] as const) {
    test.each(tested.filter((c) => c.sixteenBit !== false).map((c) => [c.name, c] as const))(`${dtype} %s`, (_, c) =>
      expectWithin(() => checkForward(c, dtype)),
    )
  }
  test.each(tested.filter((c) => c.gradient).map((c) => [c.name, c] as const))('backward of %s', (_, c) =>
    expectWithin(() => checkBackward(c)),
  )
  for (const dtype of ['float16', 'bfloat16'] as const) {
    test.each(
      tested
        .filter((c) => c.gradient && c.sixteenBit !== false && c.sixteenBitGradient !== false)
        .map((c) => [c.name, c] as const),
    )(`${dtype} backward of %s`, (_, c) => expectWithin(() => checkBackward(c, dtype)))
  }
})
