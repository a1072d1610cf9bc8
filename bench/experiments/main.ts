// npm run experiment -- NAME [DIR]   DIR holds the data, in the layout of its README. Results go to bench/results.
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runElectraVersusMasked } from './electra-vs-mlm.ts'
import { runTasks } from './tasks.ts'

// Models whose head is to be trained say so.
process.removeAllListeners('warning')

/** What an experiment is given. */
export interface Experiment {
  /** Folder of the data. */
  readonly data: string
  /** File that its table is written to. */
  readonly results: string
}

const experiments: Readonly<Record<string, (experiment: Experiment) => Promise<void>>> = {
  'electra-vs-mlm': runElectraVersusMasked,
  tasks: runTasks,
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const [name = '', data = join(root, '..', 'shared', 'data'), ...rest] = process.argv.slice(2)
const run = Object.hasOwn(experiments, name) && rest.length === 0 ? experiments[name] : undefined
if (!run) {
  console.error(
    `experiment: expected ${Object.keys(experiments).join(' or ')}, and perhaps a folder of data, got ${[name, ...rest].join(' ') || 'none'}`,
  )
  process.exit(2)
}
await run({ data: resolve(data), results: join(root, 'bench', 'results', `${name}.md`) })
