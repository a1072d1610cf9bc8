// A baseline as a child process that measures one product for each line it is given.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

// Idle threads of a library look for work for a while before they sleep: 2^26 cycles in OpenBLAS. Here they would take the
// cores from whoever is measured next; 2^18 cycles are still longer than the pause between two calls.
const env = { ...process.env, OPENBLAS_THREAD_TIMEOUT: '18', GOMP_SPINCOUNT: '30000' }

export class Baseline {
  readonly #lines: AsyncIterator<string>

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** Compiled on the fly; null, with the reason printed, where there is no OpenBLAS. */
  static openBlas(): Baseline | null {
    const program = join(mkdtempSync(join(tmpdir(), 'duoformer-')), 'openblas')
    try {
      execFileSync('cc', ['-O2', here('openblas.c'), '-o', program, '-lopenblas'], { stdio: 'ignore' })
    } catch {
      console.log('skipped: OpenBLAS (cblas.h and libopenblas, Debian libopenblas-dev, were not found)')
      return null
    }
    return new Baseline('OpenBLAS', spawn(program, { env, stdio: ['pipe', 'pipe', 'inherit'] }))
  }

  /** By $DUOFORMER_PYTHON or python3; null, with the reason printed, where that cannot import torch. */
  static async torch(script: string): Promise<Baseline | null> {
    const python = process.env.DUOFORMER_PYTHON ?? 'python3'
    const child = spawn(python, [here(script)], { env, stdio: ['pipe', 'pipe', 'ignore'] })
    child.on('error', () => {})
    const baseline = new Baseline('torch', child)
    if ((await baseline.#lines.next()).value === 'ready') return baseline
    console.log(`skipped: torch (${python} cannot import it; DUOFORMER_PYTHON names another)`)
    return null
  }

  /** Sends a request and gives back the number that comes. */
  async measure(request: string): Promise<number> {
    this.child.stdin!.write(`${request}\n`)
    return Number((await this.#lines.next()).value)
  }

  close(): void {
    this.child.stdin!.end()
  }
}
