// A baseline in another language: a process that answers each line with the milliseconds it took.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Baseline {
  /** What it says of itself. */
  readonly name: string
  /** Milliseconds of one run. */
  time(line: string): Promise<number>
  stop(): void
}

/** Starts bench/baselines/<script> under $DUOFORMER_PYTHON (default python3); a string says why that was not possible. */
export async function startBaseline(script: string): Promise<Baseline | string> {
  const python = process.env.DUOFORMER_PYTHON ?? 'python3'
  const path = fileURLToPath(new URL(`./baselines/${script}`, import.meta.url))
  const child = spawn(python, [path], { stdio: ['pipe', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (text) => {
    complaint += text
  })
  child.on('error', (error) => {
    complaint += error.message
  })
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await lines.next()
  if (first.done) return `${python} cannot run it (${complaint.trim().split('\n').at(-1) || 'no output'})`
  return {
    name: first.value,
    async time(line) {
      child.stdin.write(`${line}\n`)
      const answer = await lines.next()
      if (answer.done) throw new Error(`bench: expected ${script} to answer, got ${complaint}`)
      return Number(answer.value)
    },
    stop: () => child.stdin.end(),
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
