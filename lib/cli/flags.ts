// Options of commands. Their keys are camelCase, as in the library; on the command line `maxNewTokens` is `--max-new-tokens`.

/** What an option of a command takes, and what becomes of it. */
export interface Flag<T> {
  /** What the help shows for the value; null for an option that takes none. */
  readonly value: string | null
  /** An option that is on until `--no-name` turns it off. */
  readonly isOn?: true
  readonly description: string
  /** What a value has to be, for messages. */
  readonly expected: string
  /** Reads the values of all occurrences; undefined for what is not `expected`. */
  readonly parse: (values: readonly string[]) => T | undefined
  /** Reads the value in a config file, where that is more than texts or numbers. */
  readonly fromConfig?: (value: unknown) => T | undefined
}

export type Flags = Readonly<Record<string, Flag<unknown>>>

/** What the options of a call were given. */
export type Values<F extends Flags> = { readonly [K in keyof F]?: F[K] extends Flag<infer T> ? T : never }

function lastOf<T>(
  value: string,
  description: string,
  expected: string,
  parse: (text: string) => T | undefined,
): Flag<T> {
  return { value, description, expected, parse: (values) => parse(values.at(-1) as string) }
}

/** On with `--name`, off with `--no-name`. */
export function flag(description: string): Flag<boolean> {
  return { value: null, description, expected: 'no value', parse: () => true }
}

/** As `flag`, but on by default: the help shows `--no-name`, and the description is that of turning it off. */
export function onFlag(description: string): Flag<boolean> {
  return { ...flag(description), isOn: true }
}

/** The options of a call that are among these. */
export function only<F extends Flags>(values: Values<F>, flags: F): Values<F> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => Object.hasOwn(flags, key))) as Values<F>
}

export function text(value: string, description: string): Flag<string> {
  return lastOf(value, description, 'a text', (written) => (written === '' ? undefined : written))
}

/** An option that may be given several times. */
export function texts(value: string, description: string): Flag<readonly string[]> {
  const parse = (values: readonly string[]) => (values.includes('') ? undefined : values)
  return { value, description: `${description} (repeatable)`, expected: 'a text', parse }
}

export function number(value: string, description: string): Flag<number> {
  return lastOf(value, description, 'a number', (written) => {
    const parsed = written.trim() === '' ? Number.NaN : Number(written)
    return Number.isFinite(parsed) ? parsed : undefined
  })
}

export function integer(value: string, description: string, least = 0): Flag<number> {
  return lastOf(value, description, `an integer >= ${least}`, (written) => {
    const parsed = /^\d+$/.test(written) ? Number(written) : Number.NaN
    return Number.isSafeInteger(parsed) && parsed >= least ? parsed : undefined
  })
}

export function choice<const T extends string | boolean>(choices: readonly T[], description: string): Flag<T> {
  const names = choices.map(String)
  return lastOf(names.join('|'), description, names.join(' or '), (written) => choices[names.indexOf(written)])
}

/** Names with a factor each, `name` alone meaning 1: repeated as `name=factor`, in a config file a mapping. */
export function weights<const T extends string>(
  names: readonly T[],
  description: string,
): Flag<Readonly<Record<T, number>>> {
  const read = (entries: readonly (readonly [string, unknown])[]) => {
    const fits = entries.every(([name, factor]) => names.includes(name as T) && Number(factor) >= 0 && factor !== '')
    if (!fits || entries.length === 0) return undefined
    return Object.fromEntries(entries.map(([name, factor]) => [name, Number(factor)])) as Readonly<Record<T, number>>
  }
  return {
    value: 'NAME[=X]',
    description: `${description}: ${names.join(', ')} (repeatable)`,
    expected: `${names.join(', ')}, each with a factor >= 0`,
    parse: (values) => read(values.map((written) => [written.split('=', 1)[0] as string, written.split('=')[1] ?? 1])),
    fromConfig: (value) => {
      if (typeof value === 'string') return read([[value, 1]])
      if (Array.isArray(value)) return read(value.map((name) => [String(name), 1]))
      return typeof value === 'object' && value !== null ? read(Object.entries(value)) : undefined
    },
  }
}

/** `maxNewTokens` as it is written on the command line, without the dashes. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
