// Latency promises, in a project of their own (test/vitest.config.ts) that runs when the other tests are done.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { device, noGrad, ops, scope, Tensor } from '../../lib/index.ts'

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number

async function medianOf5(run: () => Promise<number>): Promise<number> {
  await run() // compiled and cached from here on
  const values: number[] = []
  for (let i = 0; i < 5; i++) values.push(await run())
  return median(values)
}

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
    const usPerCall = await medianOf5(async () => {
      const start = performance.now()
      const y = run()
      const data = await y.data()
      const us = ((performance.now() - start) * 1000) / calls
      expect(data[63]).toBe(calls + 1)
      y.dispose()
      return us
    })
    console.log(`64-element add ${name}: ${usPerCall.toFixed(2)} us`)
    expect(usPerCall, name).toBeLessThanOrEqual(5)
  }
})

test('2 s of queued GEMMs delay the event loop by less than 5 ms (p99)', { timeout: 120_000 }, async () => {
  const a = Tensor.ones([1024, 1024])
  const multiply = (times: number) => () =>
    noGrad(() => {
      for (let i = 0; i < times; i++) ops.gemm(a, a).dispose()
    })
  await seconds(multiply(2))
  const times = Math.ceil((2.2 * 10) / (await seconds(multiply(10))))
  const p99 = await medianOf5(async () => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    await sleep(10)
    delay.enable()
    const took = await seconds(multiply(times))
    delay.disable()
    expect(took).toBeGreaterThan(2)
    return delay.percentile(99) / 1e6
  })
  console.log(`event-loop delay p99: ${p99.toFixed(2)} ms`)
  expect(p99).toBeLessThan(5)
})
