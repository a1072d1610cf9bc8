import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

const script = new URL('worker.mjs', import.meta.url)

export function start(data: { size: number; ops: number } | { handle: number }): Worker {
  return new Worker(script, { workerData: data })
}

/** Starts workers, `atOnce` at a time, and terminates each with work in flight. */
export async function churn(workers: number, atOnce: number): Promise<void> {
  for (let started = 0; started < workers; started += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, workers - started) }, () => start({ size: 1 << 18, ops: 2000 }))
    await Promise.all(
      batch.map(async (worker) => {
        await once(worker, 'message')
        await worker.terminate()
      }),
    )
  }
}

/** What a leak would let grow: memory, threads and open files of this process. */
export function footprint(): { rssBytes: number; threads: number; files: number } {
  return {
    rssBytes: process.memoryUsage.rss(),
    threads: Number(/^Threads:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]),
    files: readdirSync('/proc/self/fd').length,
  }
}
