import { type Parsed, type Positionals, parse } from './arguments.ts'
import type { Console } from './console.ts'
import type { Flags } from './flags.ts'

/** A command as it is written: what it takes, and what it does. */
export interface CommandSpec<F extends Flags> {
  /** One line for the list of commands. */
  readonly summary: string
  /** What its own help says beside that. */
  readonly details: string
  readonly positionals: Positionals
  readonly flags: F
  /** Command lines without the program's name. */
  readonly examples: readonly string[]
  run(call: Parsed<F>, console: Console): Promise<void>
}

/** A command whatever its options are. */
export interface Command extends Omit<CommandSpec<Flags>, 'run'> {
  readonly kind: 'command'
  run(args: readonly string[], console: Console): Promise<void>
}

/** Commands under one name. */
export interface Group {
  readonly kind: 'group'
  readonly summary: string
  readonly details?: string
  readonly commands: Readonly<Record<string, Command | Group>>
}

export function command<const F extends Flags>(spec: CommandSpec<F>): Command {
  return {
    ...spec,
    kind: 'command',
    run: (args, console) => spec.run(parse(args, spec.flags, spec.positionals), console),
  }
}

export function group(spec: Omit<Group, 'kind'>): Group {
  return { ...spec, kind: 'group' }
}
