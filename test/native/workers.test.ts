import { spawnSync } from 'node:child_process'
import { on, once } from 'node:events'
import { expect, test } from 'vitest'
import { Tensor } from '../../lib/index.ts'
import { churn, start } from './workers.ts'

test('10 workers are terminated with work in flight', async () => {
  await churn({ warmUp: 0, workers: 10, atOnce: 2 })
})

test('two workers use the addon at once', async () => {
  const workers = [start({ size: 1000, ops: 100 }), start({ size: 1000, ops: 200 })]
  const results = await Promise.all(
    workers.map(async (worker) => {
      for await (const [message] of on(worker, 'message')) {
        if (message.first === undefined) continue
        await worker.terminate()
        return message.first
      }
    }),
  )
  expect(results).toEqual([101, 201])
})

test("another thread's handle is refused", async () => {
  const tensor = Tensor.from([1, 2])
  const worker = start({ handle: tensor.handle })
  const [error] = await once(worker, 'message')
  await worker.terminate()
  expect(error).toEqual({
    name: 'StateError',
    message: 'binary: expected a to be a live tensor of this thread, got one of another thread',
  })
})

test('process.exit leaves at once with work in flight, and with the code given', () => {
  const program = `
    import { ops, Tensor } from './dist/index.js'
    const one = Tensor.ones([1 << 22])
    let x = one
    for (let i = 0; i < 2000; i++) {
      const next = ops.add(x, one)
      if (x !== one) x.dispose()
      x = next
    }
    x.data()
    console.log(Date.now())
    process.exit(7)`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: new URL('../..', import.meta.url).pathname,
    encoding: 'utf8',
  })
  const secondsToExit = (Date.now() - Number(stdout)) / 1000
  expect(status, stderr).toBe(7)
  // Of 10 s and more that are queued. Instrumented builds exit slower.
  expect(secondsToExit).toBeLessThan(process.env.DUOFORMER_PREBUILD ? 5 : 1)
})
