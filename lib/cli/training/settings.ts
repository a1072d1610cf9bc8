// Settings of a training command: options on the command line, over a file of the same names.
import { readFile } from 'node:fs/promises'
import { DataError, describe } from '../../errors.ts'
import { UsageError } from '../arguments.ts'
import { type Flag, type Flags, flagName, text, type Values } from '../flags.ts'
import { nearest } from '../nearest.ts'

export const configFlag = {
  config: text('FILE', 'settings as YAML or JSON, by the names of these options in camelCase; options override it'),
}

/**
 * The settings of a call: those of its config file, and over them the options that were written.
 *
 * @throws {UsageError} for a key that is no option, naming the nearest one that is, and for a value that it does not take.
 * @throws {DataError} for a file that cannot be read or parsed.
 */
export async function settingsOf<F extends Flags>(
  values: Values<F> & Values<typeof configFlag>,
  flags: F,
): Promise<Values<F>> {
  const { config: file, ...written } = values as Values<F> & { readonly config?: string }
  if (file === undefined) return written as Values<F>
  return { ...fromFile(await parsed(file), file, flags), ...written } as Values<F>
}

/** The content of a YAML file, of which JSON is a part. */
export async function parsed(file: string): Promise<unknown> {
  const content = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new DataError(`config: expected a file, got: ${cause.message}`, { cause })
  })
  const { parse } = await import('yaml')
  try {
    return parse(content)
  } catch (cause) {
    throw new DataError(`config: expected ${file} in YAML or JSON, got: ${(cause as Error).message}`, { cause })
  }
}

function fromFile<F extends Flags>(content: unknown, file: string, flags: F): Values<F> {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`expected ${file} to hold keys and values, got ${describe(content)}`)
  }
  const settings: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(content)) {
    const flag = Object.hasOwn(flags, key) ? flags[key] : undefined
    if (!flag) throw new UsageError(unknownKey(key, file, Object.keys(flags)))
    settings[key] = settingOf(flag, value)
    if (settings[key] === undefined) {
      const expected = flag.value === null ? 'true or false' : flag.expected
      throw new UsageError(`expected ${key} in ${file} to be ${expected}, got ${JSON.stringify(value)}`)
    }
  }
  return settings as Values<F>
}

function settingOf(flag: Flag<unknown>, value: unknown): unknown {
  if (flag.value === null) return typeof value === 'boolean' ? value : undefined
  if (flag.fromConfig) return flag.fromConfig(value)
  const values = Array.isArray(value) ? value : [value]
  const isPlain = (each: unknown) => typeof each === 'string' || typeof each === 'number'
  return values.length > 0 && values.every(isPlain) ? flag.parse(values.map(String)) : undefined
}

function unknownKey(key: string, file: string, names: readonly string[]): string {
  const meant =
    nearest(key, names) ??
    nearest(
      key.toLowerCase(),
      names.map((name) => name.toLowerCase()),
    )
  const name = names.find((each) => each === meant || each.toLowerCase() === meant)
  return `expected known keys in ${file}, got ${key}${name ? `; did you mean ${name}?` : ''}\nKnown keys: ${names.join(' ')}`
}

/** @throws {UsageError} for settings that are needed and were not given. */
export function required<T extends object, K extends keyof T & string>(
  settings: T,
  ...keys: readonly K[]
): asserts settings is T & { readonly [Key in K]-?: NonNullable<T[Key]> } {
  for (const key of keys) {
    if (settings[key] === undefined)
      throw new UsageError(`expected --${flagName(key)} or ${key} in --config, got neither`)
  }
}
