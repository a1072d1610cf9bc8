// Prints lib/native/schema.generated.ts and the README's table of ops from the op registry of the built addon; `--check`
// compares instead.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const addon = createRequire(import.meta.url)('node-gyp-build')(root)
addon.start((_code, message) => new Error(message))

const attrType = (attr) =>
  ({
    int: 'number',
    float: 'number',
    bool: 'boolean',
    enum: attr.choices?.map((c) => `'${c}'`).join(' | '),
  })[attr.type]
const tensorType = (input) => (input.list ? 'readonly T[]' : input.optional ? 'T | null' : 'T')

function signature(op) {
  const inputs = op.inputs.map((input) => `${input.name}: ${tensorType(input)}`)
  const required = op.attrs.some((attr) => attr.fallback === undefined)
  const attrs = op.attrs.map((attr) => `${attr.name}${attr.fallback === undefined ? '' : '?'}: ${attrType(attr)}`)
  if (attrs.length > 0) inputs.push(`attrs${required ? '' : '?'}: { ${attrs.join('; ')} }`)
  const outputs = op.outputs.map((output) => `${output.name}: T${output.optional ? ' | null' : ''}`)
  const result =
    outputs.length === 0
      ? 'void'
      : outputs.length === 1
        ? `T${op.outputs[0].optional ? ' | null' : ''}`
        : `{ ${outputs.join('; ')} }`
  return `  ${op.name}(${inputs.join(', ')}): ${result}`
}

const choicesOf = (op, attr) => `${op.name}${attr.name[0].toUpperCase()}${attr.name.slice(1)}`

function choiceConstants(op) {
  return op.attrs
    .filter((attr) => attr.choices)
    .map((attr) => `const ${choicesOf(op, attr)} = [${attr.choices.map((choice) => `'${choice}'`).join(', ')}]\n`)
    .join('')
}

/** The function of an op: its arguments into the buffer, one after the other, the call, its results out of it. */
function binding(op, index) {
  // Behind a list, places depend on its length.
  const hasList = op.inputs.some((input) => input.list)
  let next = 0
  const place = () => (hasList ? 'at++' : `${next++}`)
  const lines = hasList ? ['let at = 0'] : []
  const given = (spec, value) => `'${op.name}', '${spec.name}', ${value}`
  for (const input of op.inputs) {
    if (input.list) lines.push(`at = list(${given(input, input.name)}, at)`)
    else lines.push(`${input.optional ? 'optional' : 'tensor'}(${given(input, input.name)}, ${place()})`)
  }
  const chain = op.attrs.some((attr) => attr.fallback === undefined) ? '.' : '?.'
  for (const attr of op.attrs) {
    const put = attr.choices ? 'choice' : attr.type === 'bool' ? 'flag' : 'number'
    const choices = attr.choices ? `, ${choicesOf(op, attr)}` : ''
    const fallback = attr.fallback === undefined ? 'null' : attr.fallback
    lines.push(`${put}(${given(attr, `attrs${chain}${attr.name}`)}, ${place()}, ${fallback}${choices})`)
  }
  lines.push(`enqueue(${index})`)
  for (const input of op.inputs) if (input.mutated) lines.push(`updated(${input.name})`)
  const taken = (output) => `output()${output.optional ? '' : ' as T'}`
  if (op.outputs.length === 1) lines.push(`return ${taken(op.outputs[0])}`)
  if (op.outputs.length > 1) {
    lines.push(`return { ${op.outputs.map((output) => `${output.name}: ${taken(output)}`).join(', ')} }`)
  }
  const parameters = [...op.inputs.map((input) => input.name), ...(op.attrs.length > 0 ? ['attrs'] : [])]
  return `    ${op.name}(${parameters.join(', ')}) {\n${lines.map((line) => `      ${line}\n`).join('')}    },`
}

function print(ops) {
  const dims = (op) =>
    op.inputs.map((i) => `${i.name} (${i.dims}) ${i.kind}${i.mutated ? ', updated in place' : ''}`).join(' · ')
  return `// Printed by \`npm run schema\` from the op registry (native/ops). Do not edit.

/** Every native op over tensors of type T. */
export interface NativeOps<T> {
${ops.map((op) => `  /** ${dims(op)} */\n${signature(op)}`).join('\n')}
}

export interface OpSchema {
  readonly name: string
  readonly inputs: readonly { name: string; dims: string; kind: string; optional?: true; list?: true; mutated?: true }[]
  readonly attrs: readonly { name: string; type: string; fallback?: number; choices?: readonly string[] }[]
  readonly outputs: readonly { name: string; optional?: true }[]
  readonly cpu: boolean
  readonly cuda: boolean
}

export const schema: readonly OpSchema[] = [
${ops.map((op) => `  ${JSON.stringify(op)},`).join('\n')}
]

/** How arguments get to the addon, each to its place, and results back, one after the other. */
export interface Binder<T> {
  tensor(op: string, name: string, value: T, at: number): void
  optional(op: string, name: string, value: T | null, at: number): void
  /** @returns the place behind the list. */
  list(op: string, name: string, values: readonly T[], at: number): number
  number(op: string, name: string, value: number | undefined, at: number, fallback: number | null): void
  flag(op: string, name: string, value: boolean | undefined, at: number, fallback: number | null): void
  choice(op: string, name: string, value: string | undefined, at: number, fallback: number | null, choices: readonly string[]): void
  enqueue(index: number): void
  output(): T | null
  updated(tensors: T | readonly T[] | null): void
}

${ops.map(choiceConstants).join('')}
/** A function for each op, so that the engine compiles each for what it is called with. */
export function bindOps<T>({ tensor, optional, list, number, flag, choice, enqueue, output, updated }: Binder<T>): NativeOps<T> {
  return {
${ops.map(binding).join('\n')}
  }
}
`
}

/** The README with its table of ops × backends. */
function withTable(readme, ops) {
  const rows = ops.map((op) => `| \`${op.name}\` | ${op.cpu ? 'yes' : 'no'} | ${op.cuda ? 'yes' : 'no'} |`)
  const table = ['| native op | CPU | CUDA |', '| --- | --- | --- |', ...rows].join('\n')
  return readme.replace(/(<!-- ops: .* -->\n)[\s\S]*(<!-- \/ops -->)/, `$1\n${table}\n\n$2`)
}

const ops = JSON.parse(addon.info().schema)
const check = process.argv.includes('--check')
const targets = [
  ['lib/native/schema.generated.ts', () => print(ops)],
  ['README.md', (before) => withTable(before, ops)],
]
for (const [name, make] of targets) {
  const before = existsSync(root + name) ? readFileSync(root + name, 'utf8') : ''
  const after = make(before)
  if (before === after) continue
  if (!check) {
    writeFileSync(root + name, after)
  } else {
    console.error(`schema: expected ${name} as the registry prints it, got another; run npm run schema`)
    process.exitCode = 1
  }
}
