import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** Runs several times, and gives the results in ascending order. */
export async function repeat(times: number, run: () => Promise<number>): Promise<number[]> {
  const values: number[] = []
  for (let i = 0; i < times; i++) values.push(await run())
  return values.sort((a, b) => a - b)
}

/** 99th percentile of the event loop's delay in ms, median of 5 rounds of at least 2 s of `work`, called again and again. */
export async function delayP99(work: () => Promise<unknown>): Promise<number> {
  const p99s = await repeat(5, async () => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    await sleep(10)
    delay.enable()
    const end = performance.now() + 2000
    while (performance.now() < end) await work()
    delay.disable()
    return delay.percentile(99) / 1e6
  })
  return p99s[2] as number
}
