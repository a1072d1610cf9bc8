// Every op case that declares its work: microseconds, GFLOP/s and GB/s of one forward, queue included.
import { Bench } from 'tinybench'
import { device, noGrad, scope } from '../lib/index.ts'
import { cases } from '../test/cases/index.ts'
import { prepare } from '../test/harness.ts'

export async function benchOps(): Promise<void> {
  const cpu = device('cpu')
  console.log('op                                          median us   spread   GFLOP/s     GB/s')
  for (const test of cases.filter((c) => c.flops !== undefined)) {
    const { tensors } = prepare(test, 'float32', false)
    const bench = new Bench({ time: 300, warmupTime: 100 })
    bench.add(test.name, async () => {
      noGrad(() => scope(() => void test.run(tensors)))
      await cpu.synchronize()
    })
    await bench.run()
    const result = bench.tasks[0]?.result
    if (!result || !('latency' in result)) throw new Error(`bench: expected ${test.name} to run, got ${result?.state}`)
    const { p50, p75, mean, sd } = result.latency
    const rate = (work = 0) => (work / p50 / 1e6).toFixed(2).padStart(9)
    const spread = `${((100 * (sd ?? p75 - p50)) / mean).toFixed(0)} %`
    console.log(
      `${test.name.padEnd(42)} ${(p50 * 1e3).toFixed(1).padStart(10)} ${spread.padStart(8)} ${rate(test.flops)} ${rate(test.bytes)}`,
    )
    for (const tensor of Object.values(tensors)) tensor.dispose()
  }
}
