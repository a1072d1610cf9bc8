import { UsageError } from './arguments.ts'
import type { Command, Group } from './command.ts'
import { duoformer } from './commands/index.ts'
import { Console, OutputClosed } from './console.ts'
import { helpOf } from './help.ts'
import { nearest } from './nearest.ts'
import { version } from './version.ts'

const usageCode = 2
const failureCode = 1
const interruptedCode = 130

/**
 * The command line's whole run. Sets the exit code; the process ends when nothing is left to do, after SIGINT as soon as
 * the command has stopped.
 */
export async function main(args: readonly string[], program: Group = duoformer): Promise<void> {
  const interrupt = new AbortController()
  const console = new Console(process.stdin, process.stdout, process.stderr, interrupt.signal)
  process.on('SIGINT', () => {
    if (interrupt.signal.aborted) process.exit(interruptedCode)
    console.note('duoformer: stopping; once more ends it at once')
    interrupt.abort()
  })
  // A file that grows beyond its limit is an error like a full disk, not the end of the process.
  process.on('SIGXFSZ', () => {})
  process.removeAllListeners('warning').on('warning', ({ message }) => console.note(`duoformer: warning: ${message}`))
  const { name, entry, rest } = find('duoformer', program, args)
  try {
    await run(name, entry, rest, console)
  } catch (error) {
    if (!isAbort(error)) process.exitCode = report(name, error, console)
  }
  console.clearProgress()
  // Output that nobody reads would keep the process.
  if (interrupt.signal.aborted) process.exit(process.exitCode ?? interruptedCode)
  // And so would input that a command that failed did not read.
  interrupt.abort()
}

/** Whether an error only says that the command was told to stop. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || isAbort(error.cause))
}

interface Found {
  readonly name: string
  readonly entry: Command | Group
  readonly rest: readonly string[]
}

/** The command that the first arguments name, or the last group that they get to. */
function find(name: string, entry: Command | Group, args: readonly string[]): Found {
  const [first, ...rest] = args
  if (entry.kind === 'group' && first !== undefined && Object.hasOwn(entry.commands, first)) {
    return find(`${name} ${first}`, entry.commands[first] as Command | Group, rest)
  }
  return { name, entry, rest: args }
}

async function run(name: string, entry: Command | Group, args: readonly string[], console: Console): Promise<void> {
  const options = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined)
  if (options.includes('--help') || options.includes('-h')) return console.print(helpOf(name, entry))
  if (entry.kind === 'command') return entry.run(args, console)
  const [first] = args
  if (first === '--version' && name === 'duoformer') return console.print(version())
  const names = Object.keys(entry.commands)
  const meant = first === undefined ? null : nearest(first, names)
  throw new UsageError(
    `expected a command, got ${first ?? 'none'}${meant ? `; did you mean ${meant}?` : ''}\nCommands: ${names.join(' ')}`,
  )
}

/** @returns the exit code. */
function report(name: string, error: unknown, console: Console): number {
  if (error instanceof OutputClosed) return 0
  if (error instanceof UsageError) {
    console.note(`${name}: ${error.message}\n${name} --help tells more.`)
    return usageCode
  }
  console.note(`${name}: ${messageOf(error)}`)
  return failureCode
}

/** Errors that are expected carry a code, ours as the system's; what has none is a mistake in the program. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const expected = 'code' in error && process.env.DUOFORMER_DEBUG !== '1'
  return expected ? error.message : (error.stack ?? error.message)
}
