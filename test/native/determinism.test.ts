// The same bits from run to run and for any number of threads, for every case of every op, forward and backward.
import { afterAll, describe, expect, test } from 'vitest'
import { runtimeInfo, setThreads, Tensor } from '../../lib/index.ts'
import { schema } from '../../lib/native/schema.generated.ts'
import type { Case } from '../cases/case.ts'
import { cases } from '../cases/index.ts'
import { backwardOf, type Prepared, prepare } from '../harness.ts'

const { threads } = runtimeInfo()
afterAll(() => setThreads(threads))

const updating = new Set(schema.filter((op) => op.inputs.some((input) => input.mutated)).map((op) => op.name))

async function bitsOf(test: Case, { tensors, leaves }: Prepared, count: number): Promise<Buffer> {
  setThreads(count)
  const result = test.run(tensors)
  const outputs = result instanceof Tensor ? [result] : result
  if (test.gradient) backwardOf(test, outputs)
  const results = [...outputs, ...Object.values(leaves).flatMap((leaf) => leaf.grad ?? [])]
  const bytes: Buffer[] = []
  for (const tensor of results) {
    const data = await tensor.data()
    bytes.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
  }
  for (const leaf of Object.values(leaves)) leaf.grad = null
  return Buffer.concat(bytes)
}

describe('bits', () => {
  test.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const inputs = prepare(c)
    const fresh = () => (c.covers.some((op) => updating.has(op)) ? prepare(c) : inputs)
    const once = await bitsOf(c, inputs, 1)
    expect(once.equals(await bitsOf(c, fresh(), 2)), '1 and 2 threads').toBe(true)
    expect(once.equals(await bitsOf(c, fresh(), 2)), 'twice').toBe(true)
  })
})
