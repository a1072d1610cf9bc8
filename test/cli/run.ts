// Runs the command line as users do: the built program in a process of its own.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The program as the package ships it. */
export const built = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url))

export interface RunOptions {
  /** @default the checkout's build */
  readonly program?: string
  /** Standard input; null leaves it open. @default empty */
  readonly input?: string | Uint8Array | null
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  /** Resolves once standard output or errors hold a text. */
  until(text: string): Promise<void>
}

export function start(args: readonly string[], options: RunOptions = {}): Running {
  const { program = built, input = '', cwd, env = {} } = options
  if (!existsSync(program)) throw new Error(`${program} is not there: npm run build:ts makes it`)
  const child = spawn(process.execPath, [program, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk
    })
  }
  // A program that does not read all of its input is none of the tests' errors.
  child.stdin.on('error', () => {})
  if (input !== null) child.stdin.end(input)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...output }))
  })
  const until = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => (output.stdout + output.stderr).includes(text) && resolve()
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      child.on('close', () => reject(new Error(`expected ${text}, got ${output.stdout}${output.stderr}`)))
      look()
    })
  return { child, ended, until }
}

export function duoformer(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return start(args, options).ended
}
