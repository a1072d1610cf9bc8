import { parseArgs } from 'node:util'
import { type Flags, flagName, type Values } from './flags.ts'
import { nearest } from './nearest.ts'

/** A command that was written wrong: the process ends with code 2. */
export class UsageError extends Error {}

/** Arguments that are no options. */
export interface Positionals {
  readonly required: readonly string[]
  /** Any number of further ones; null where there may be none. */
  readonly rest: string | null
}

/** A command line that was understood. */
export interface Parsed<F extends Flags> {
  readonly values: Values<F>
  readonly positionals: readonly string[]
}

/** @throws {UsageError} for options that are unknown or lack what they need, and too few or too many arguments. */
export function parse<F extends Flags>(args: readonly string[], flags: F, expected: Positionals): Parsed<F> {
  const options = Object.fromEntries(
    Object.entries(flags).map(([key, { value }]) => {
      const type = value === null ? ('boolean' as const) : ('string' as const)
      return [flagName(key), { type, multiple: type === 'string' }]
    }),
  )
  expectKnown(args, options)
  const { values, positionals } = strictly(args, options)
  expectCount(positionals, expected)
  return { values: valuesOf(values, flags), positionals }
}

type Options = Record<string, { readonly type: 'boolean' | 'string'; readonly multiple: boolean }>

/** What `parseArgs` itself says of an unknown option does not say which are known. */
function expectKnown(args: readonly string[], options: Options): void {
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    tokens: true,
    allowNegative: true,
    allowPositionals: true,
  })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const known = Object.hasOwn(options, token.name)
    const negated = token.rawName === `--no-${token.name}`
    if (known && (!negated || options[token.name]?.type === 'boolean')) continue
    const names = Object.keys(options)
    const meant = nearest(token.rawName.replace(/^-+/, ''), names)
    throw new UsageError(
      `expected a known option, got ${token.rawName}${meant ? `; did you mean --${meant}?` : ''}\n` +
        `Known options: ${names.map((name) => `--${name}`).join(' ')}`,
    )
  }
}

function strictly(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowNegative: true, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function expectCount(positionals: readonly string[], { required, rest }: Positionals): void {
  if (positionals.length < required.length) {
    throw new UsageError(`expected ${required[positionals.length]}, got no more arguments`)
  }
  if (rest === null && positionals.length > required.length) {
    const surplus = JSON.stringify(positionals[required.length])
    throw new UsageError(`expected ${required.join(' ') || 'no arguments'}, got ${surplus}, too`)
  }
}

function valuesOf<F extends Flags>(written: Readonly<Record<string, unknown>>, flags: F): Values<F> {
  const values: Record<string, unknown> = {}
  for (const [key, { value, expected, parse }] of Object.entries(flags)) {
    const given = written[flagName(key)]
    if (given === undefined) continue
    values[key] = value === null ? given : parse(given as string[])
    if (values[key] === undefined) {
      throw new UsageError(
        `expected --${flagName(key)} to be ${expected}, got ${JSON.stringify((given as string[]).at(-1))}`,
      )
    }
  }
  return values as Values<F>
}
