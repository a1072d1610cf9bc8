import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

type Result = { readonly times: readonly number[]; readonly peakRssBytes: number } | { readonly error: string }

// Idle threads of a library look for work for a while before they sleep; here they would take the cores from whoever is
// measured next.
const env = { ...process.env, GOMP_SPINCOUNT: '30000', KMP_BLOCKTIME: '0', OMP_WAIT_POLICY: 'PASSIVE' }

/** A process that does the works it is named, and tells how long they took. */
export class Contestant {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #isReady = false

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'ignore'] })
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  async measure(seconds: number, work: string): Promise<Result> {
    if (!this.#isReady && (await this.#lines.next()).value !== 'ready') return { error: 'it did not start' }
    this.#isReady = true
    this.#child.stdin!.write(`${seconds} ${work}\n`)
    const { value, done } = await this.#lines.next()
    return done ? { error: 'it ended' } : (JSON.parse(value) as Result)
  }

  /** Ends it, and waits until it has gone: its last work would take the cores from whoever is measured next. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.stdin!.end()
    await gone
  }
}
