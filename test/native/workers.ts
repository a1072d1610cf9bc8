import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'

export function start(data: { size: number; ops: number } | { handle: number }): Worker {
  return new Worker(new URL('worker.mjs', import.meta.url), { workerData: data })
}

/** What a leak would let grow: memory, threads and open files of a process. */
export interface Footprint {
  readonly rssBytes: number
  readonly threads: number
  readonly files: number
}

export interface Churn {
  /** Workers before the first measurement: pools, caches and compiled code are there from then on. */
  readonly warmUp: number
  readonly workers: number
  readonly atOnce: number
  /** Each worker leaves one of these behind: a tensor of 1 MiB, an open file or a thread. */
  readonly leak?: 'bytes' | 'files' | 'threads'
}

/** Starts workers and terminates each with work in flight, in a process of its own, where nothing else allocates. */
export async function churn(options: Churn): Promise<{ before: Footprint; after: Footprint }> {
  const script = fileURLToPath(new URL('churn.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(options)], {
    // One heap for all threads: else glibc gives each its own, and how many of those keep the freed memory of a
    // worker is chance: 20 MB more or less.
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  })
  return JSON.parse(stdout)
}
