// Starts workers and terminates each with work in flight; prints the footprint of the process after the warm-up and at
// the end. argv: the options `Churn` of workers.ts, as JSON.
import { once } from 'node:events'
import { openSync, readdirSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { device, Tensor } from '../../dist/index.js'

const { warmUp, workers, atOnce, leak } = JSON.parse(process.argv[2])
const left = []

async function startAndTerminate() {
  const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: { size: 1 << 18, ops: 2000 } })
  await once(worker, 'message')
  await worker.terminate()
}

const leaks = {
  bytes: () => Tensor.ones([1 << 18]),
  files: () => openSync(process.execPath),
  threads: () => new Worker('setInterval(() => {}, 1000)', { eval: true }),
}

async function churn(count) {
  for (let started = 0; started < count; started += atOnce) {
    await Promise.all(Array.from({ length: Math.min(atOnce, count - started) }, startAndTerminate))
  }
}

function footprint() {
  return {
    rssBytes: process.memoryUsage.rss(),
    threads: Number(/^Threads:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]),
    files: readdirSync('/proc/self/fd').length,
  }
}

// Its own device has a thread, too, which starts with the first op.
await device().synchronize()
await churn(warmUp)
const before = footprint()
await churn(workers)
if (leak) for (let i = 0; i < workers; i++) left.push(leaks[leak]())
// Its memory counts when it was written.
await device().synchronize()
console.log(JSON.stringify({ before, after: footprint() }))
process.exit()
