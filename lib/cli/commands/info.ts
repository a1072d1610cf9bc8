import { availableParallelism, freemem, totalmem } from 'node:os'
import { command } from '../command.ts'
import type { Console } from '../console.ts'
import { flag, type Values } from '../flags.ts'
import { hubFlags, megabytes, resolveOptions } from '../model-flags.ts'
import { version } from '../version.ts'

type Facts = Readonly<Record<string, string | number | boolean | readonly string[] | null>>

export const info = command({
  summary: 'what this build runs on, or what a model is',
  details:
    'Without MODEL: versions, instruction set, threads, memory. With MODEL, a folder or hub id: what its files say; nothing is loaded.',
  positionals: { required: [], rest: 'MODEL' },
  flags: { json: flag('print one JSON object a line'), ...hubFlags },
  examples: ['info', 'info ./t5-small', 'info ./t5-small --json'],

  async run({ values, positionals }, console) {
    const print = async (facts: Facts) => (values.json ? console.printJson(facts) : console.print(tableOf(facts)))
    if (positionals.length === 0) return print(await runtimeFacts())
    for (const model of positionals) await print(await modelFacts(model, values, console))
  },
})

/** `memoryBytes` as `memory  24786.3 MB`. */
function tableOf(facts: Facts): string {
  const rows = Object.entries(facts).map(([key, value]) => {
    if (typeof value !== 'number') return [key, [value ?? 'none'].flat().join(', ')] as const
    if (key.endsWith('Bytes')) return [key.slice(0, -'Bytes'.length), megabytes(value)] as const
    return [key, value.toLocaleString('en')] as const
  })
  const column = Math.max(...rows.map(([key]) => key.length)) + 2
  return rows.map(([key, value]) => key.padEnd(column) + value).join('\n')
}

async function runtimeFacts(): Promise<Facts> {
  const { runtimeInfo } = await import('../../device.ts')
  const { cuda, ...runtime } = runtimeInfo()
  return {
    version: version(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cores: availableParallelism(),
    ...runtime,
    cuda: cuda.problem || cuda.devices.map(({ name, major, minor }) => `${name} (${major}.${minor})`),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
  }
}

/** Which command runs a model of a class. */
const commandOf: readonly (readonly [architecture: RegExp, command: string])[] = [
  [/ForConditionalGeneration$/, 'generate'],
  [/ForSequenceClassification$/, 'classify'],
  [/ForPreTraining$/, 'detect'],
  [/ForMaskedLM$/, 'fill-mask'],
]

async function modelFacts(model: string, hub: Values<typeof hubFlags>, console: Console): Promise<Facts> {
  const { resolveModelFolder } = await import('../../checkpoint/resolve.ts')
  const { openWeights, readJson, readOptionalJson } = await import('../../checkpoint/model-folder.ts')
  const folder = await resolveModelFolder(model, resolveOptions(hub, console))
  const { value: config } = await readJson(folder, 'config.json')
  const architectures = Array.isArray(config.architectures) ? config.architectures.map(String) : []
  using weights = await openWeights(folder)
  const tensors = weights.names().map((name) => weights.info(name))
  const floats = tensors.filter(({ dtype }) => dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16')
  return {
    folder,
    architectures,
    modelType: typeof config.model_type === 'string' ? config.model_type : null,
    parameters: floats.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0),
    dtype: [...new Set(floats.map(({ dtype }) => dtype as string))],
    hasTokenizer: (await readOptionalJson(folder, 'tokenizer.json')) !== null,
    commands: commandOf.filter(([pattern]) => architectures.some((name) => pattern.test(name))).map(([, name]) => name),
  }
}
