import type { Command, Group } from './command.ts'
import { flagName } from './flags.ts'

const width = 100

/** @param name with the program's and those of the groups that it is in. */
export function helpOf(name: string, entry: Command | Group): string {
  return entry.kind === 'group' ? groupHelp(name, entry) : commandHelp(name, entry)
}

function groupHelp(name: string, { summary, details, commands }: Group): string {
  const rows = Object.entries(commands).map(([key, entry]) => [key, entry.summary] as const)
  return [
    `${name}: ${summary}`,
    `Usage: ${name} COMMAND …`,
    `Commands:\n${table(rows)}`,
    ...(details ? [wrap(details, width, '')] : []),
    `${name} COMMAND --help tells more.`,
  ].join('\n\n')
}

function commandHelp(name: string, { summary, details, positionals, flags, examples }: Command): string {
  const { required, rest } = positionals
  const usage = [name, ...required, ...(rest === null ? [] : [`[${rest} …]`]), '[OPTION …]'].join(' ')
  const options = Object.entries(flags).map(([key, { value, isOn, description }]) => {
    return [`--${isOn ? 'no-' : ''}${flagName(key)}${value === null ? '' : ` ${value}`}`, description] as const
  })
  return [
    `${name}: ${summary}`,
    `Usage: ${usage}`,
    wrap(details, width, ''),
    `Options:\n${table([...options, ['--help', 'this text']])}`,
    `Examples:\n${examples.map((example) => `  duoformer ${example}`).join('\n')}`,
  ].join('\n\n')
}

/** Two columns; the second one is wrapped. */
function table(rows: readonly (readonly [left: string, right: string])[]): string {
  const column = Math.min(30, Math.max(...rows.map(([left]) => left.length))) + 4
  return rows
    .map(([left, right]) => {
      const lines = wrap(right, width - column, ' '.repeat(column))
      const head = `  ${left}`
      return head.length + 2 > column ? `${head}\n${' '.repeat(column)}${lines}` : head.padEnd(column) + lines
    })
    .join('\n')
}

/** Breaks a text at spaces; all lines but the first begin with `indent`. */
function wrap(text: string, columns: number, indent: string): string {
  const lines: string[] = ['']
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) as string
    if (line !== '' && line.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join(`\n${indent}`)
}
