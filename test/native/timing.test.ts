// Latency promises, in a project of their own (test/vitest.config.ts) that runs when the other tests are done.
import { expect, test } from 'vitest'
import { device, noGrad, ops, scope, Tensor } from '../../lib/index.ts'
import { delayP99, repeat } from '../event-loop.ts'

async function seconds(run: () => void): Promise<number> {
  const start = performance.now()
  run()
  await device().synchronize()
  return (performance.now() - start) / 1000
}

test('10,000 dependent adds of 64 elements take at most 5 us each', async () => {
  const calls = 10_000
  const one = Tensor.ones([64])
  const chain = () => {
    let x = one
    for (let i = 0; i < calls; i++) x = ops.add(x, one)
    return x
  }
  for (const [name, run] of [
    ['in a scope', () => scope(chain)],
    ['left to the garbage collector', chain],
  ] as const) {
    const round = async () => {
      const start = performance.now()
      const y = run()
      const data = await y.data()
      const us = ((performance.now() - start) * 1000) / calls
      expect(data[63]).toBe(calls + 1)
      y.dispose()
      return us
    }
    await repeat(10, round) // until the JavaScript is compiled
    const usPerCall = (await repeat(15, round))[7] as number
    console.log(`64-element add ${name}: ${usPerCall.toFixed(2)} us (median of 15)`)
    expect(usPerCall, name).toBeLessThanOrEqual(5)
  }
})

test('2 s of queued GEMMs delay the event loop by less than 5 ms (p99)', { timeout: 120_000 }, async () => {
  const a = Tensor.ones([1024, 1024])
  const multiply = (times: number) => () =>
    noGrad(() => {
      for (let i = 0; i < times; i++) ops.gemm(a, a).dispose()
    })
  const [fastest] = (await repeat(3, () => seconds(multiply(10)))) as [number]
  const times = Math.ceil((3 * 10) / fastest)
  const p99 = await delayP99(() => seconds(multiply(times)))
  console.log(`event-loop delay p99: ${p99.toFixed(2)} ms (median of 5)`)
  expect(p99).toBeLessThan(5)
})
