// Does pre-training a small encoder on a few megabytes of text help it on tasks of a few thousand rows? Both arms have the
// same encoder, tokenizer, steps and search for a learning rate; one starts from random numbers.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { data, runtimeInfo, type Tokenizer, train, trainWordPiece } from '../../lib/index.ts'
import {
  type Benchmark,
  type FineTuned,
  fineTuned,
  type Measured,
  pretrained,
  sentencesOf,
  tokenized,
  untrained,
} from './encoder.ts'
import type { Experiment } from './main.ts'

const pretraining = { objective: 'mlm', steps: 3000, batchSize: 32, maskRate: 0.25, lr: 1e-3, seed: 1 } as const
const vocabSize = 6000
const fineTuning = { batchSize: 32, rates: [5e-4, 1e-3, 2e-3], seeds: [1, 2, 3] }

type Arm = 'from scratch' | 'pre-trained'

interface Outcome {
  readonly rate: number
  /** Scores of the first seed, by learning rate. */
  readonly search: ReadonlyMap<number, number>
  /** One run a seed, at the best rate of the search. */
  readonly runs: readonly FineTuned[]
}

interface TaskOutcome {
  readonly benchmark: Benchmark
  /** Score of always saying the most frequent class; of entities, of saying nothing. */
  readonly majority: number
  readonly arms: Readonly<Record<Arm, Outcome>>
}

export async function runTasks({ data: folder, results }: Experiment): Promise<void> {
  // Models whose head is to be trained say so.
  process.removeAllListeners('warning')
  const benchmarks = benchmarksIn(folder)
  const models = await mkdtemp(join(tmpdir(), 'experiment-tasks-'))
  try {
    const documents = await corpusOf(folder, benchmarks)
    console.log(`corpus: ${documents.length} documents`)
    const tokenizer = await trainWordPiece(documents.flat(), { vocabSize, lowercase: false, modelMaxLength: 128 })
    const corpus = await tokenized(documents, tokenizer)
    const folders = { 'pre-trained': join(models, 'pretrained'), 'from scratch': join(models, 'untrained') }
    const cost = await pretrained(folders['pre-trained'], { tokenizer, documents: corpus, ...pretraining })
    await untrained(folders['from scratch'], tokenizer, pretraining.seed)
    const outcomes: TaskOutcome[] = []
    for (const benchmark of benchmarks) {
      const arm = (name: Arm) => compared(name, benchmark, folders[name], tokenizer)
      const arms = { 'from scratch': await arm('from scratch'), 'pre-trained': await arm('pre-trained') }
      outcomes.push({ benchmark, majority: await majorityOf(benchmark), arms })
    }
    await mkdir(dirname(results), { recursive: true })
    await writeFile(results, pageOf(outcomes, cost))
    console.log(`written: ${results}`)
  } finally {
    await rm(models, { recursive: true })
  }
}

function benchmarksIn(folder: string): Benchmark[] {
  const files = (name: string, ending: string) => ({
    train: join(folder, name, `train.${ending}`),
    heldOut: join(folder, name, `dev.${ending}`),
  })
  return [
    { name: 'SST-2, accuracy', task: 'classification', ...files('sst2', 'tsv'), epochs: 2 },
    { name: 'TREC, accuracy', task: 'classification', ...files('trec', 'tsv'), epochs: 4 },
    { name: 'WNUT17, entity F1', task: 'tagging', ...files('wnut17', 'conll'), epochs: 4 },
  ]
}

/** The texts, in documents of sentences, and what the tasks train on, without its labels. */
async function corpusOf(folder: string, benchmarks: readonly Benchmark[]): Promise<string[][]> {
  const sentences: string[] = []
  for await (const { text } of await data.readRows(join(folder, 'text'))) sentences.push(...sentencesOf(text as string))
  for (const { train: file } of benchmarks) {
    for (const { row } of await train.placedRows([file])) {
      const words = Array.isArray(row.tokens) ? (row.tokens as string[]).join(' ') : Object.values(row)[0]
      sentences.push(words as string)
    }
  }
  // Rows of a file follow each other, so that parts of equal length are documents of one kind.
  const length = 64
  return Array.from({ length: Math.ceil(sentences.length / length) }, (_, i) =>
    sentences.slice(i * length, (i + 1) * length),
  )
}

/** The best learning rate by one seed, then all seeds. */
async function compared(arm: Arm, benchmark: Benchmark, folder: string, tokenizer: Tokenizer): Promise<Outcome> {
  const { rates, seeds, batchSize } = fineTuning
  const run = async (lr: number, seed: number) => {
    const result = await fineTuned(folder, tokenizer, benchmark, { lr, seed, batchSize })
    console.log(
      `${benchmark.name}, ${arm}, lr ${lr}, seed ${seed}: ${result.score.toFixed(4)} in ${result.seconds.toFixed(0)} s`,
    )
    return result
  }
  const [first, ...others] = seeds as [number, ...number[]]
  const found = new Map<number, FineTuned>()
  for (const rate of rates) found.set(rate, await run(rate, first))
  const [rate, best] = [...found].sort(([, a], [, b]) => b.score - a.score)[0] as [number, FineTuned]
  const runs = [best]
  for (const seed of others) runs.push(await run(rate, seed))
  return { rate, search: new Map([...found].map(([lr, { score }]) => [lr, score])), runs }
}

async function majorityOf({ task, train: trained, heldOut }: Benchmark): Promise<number> {
  if (task === 'tagging') return 0
  const labelsOf = async (file: string) => (await train.placedRows([file])).map(({ row }) => String(row.label))
  const counts = new Map<string, number>()
  for (const label of await labelsOf(trained)) counts.set(label, (counts.get(label) ?? 0) + 1)
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] as [string, number]
  const others = await labelsOf(heldOut)
  return others.filter((label) => label === most).length / others.length
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const percent = (share: number) => (100 * share).toFixed(1)
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)

/** Mean and range over the seeds. */
function spreadOf({ runs }: Outcome): string {
  const scores = runs.map(({ score }) => score)
  return `${percent(mean(scores))} (${percent(Math.min(...scores))} to ${percent(Math.max(...scores))})`
}

function pageOf(outcomes: readonly TaskOutcome[], cost: Measured): string {
  const { isa, threads } = runtimeInfo()
  const { steps, batchSize, maskRate, lr } = pretraining
  const rows = outcomes.map(({ benchmark, majority, arms }) => {
    const all = [...arms['from scratch'].runs, ...arms['pre-trained'].runs]
    const seconds = mean(all.map((run) => run.seconds))
    const peak = Math.max(...all.map((run) => run.peakBytes))
    const cells = [benchmark.name, percent(majority), spreadOf(arms['from scratch']), spreadOf(arms['pre-trained'])]
    return [...cells, benchmark.epochs, seconds.toFixed(0), megabytes(peak)]
  })
  const search = outcomes.flatMap(({ benchmark, arms }) =>
    Object.entries(arms).map(([arm, outcome]) => [
      benchmark.name,
      arm,
      ...fineTuning.rates.map((rate) => percent(outcome.search.get(rate) as number)),
      outcome.rate,
    ]),
  )
  return `# Small tasks, with and without pre-training

\`npm run experiment -- tasks\` makes this page. A two-layer ELECTRA encoder (width 128) is fine-tuned from random numbers, and
after pre-training on ${(cost.tokens / 1e6).toFixed(1)} million tokens of text (masked tokens, ${100 * maskRate} %, ${steps} steps of ${batchSize} segments, rate ${lr}):
the files of \`text/\` and the training rows without their labels, from which its cased WordPiece vocabulary is learnt, too.
Scores are percent on the development files, means over ${fineTuning.seeds.length} seeds (from the lowest to the highest). Each arm takes the best
of the same learning rates, found with the first seed.

${table(['task', 'majority', 'from scratch', 'pre-trained', 'epochs', 'seconds', 'peak MB'], rows)}

Seconds and memory are those of one fine-tuning. Pre-training took ${cost.seconds.toFixed(0)} s and ${megabytes(cost.peakBytes)} MB. On ${process.arch}, ${isa}, ${threads} threads, Node
${process.version}; the machine had other work to do, so that times are upper bounds.

The search, with the first seed:

${table(['task', 'start', ...fineTuning.rates.map(String), 'chosen'], search)}
`
}

function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}
