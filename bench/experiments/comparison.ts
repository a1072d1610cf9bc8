// Fine-tuning on small tasks, for what an experiment compares: each start has the same search for a learning rate, by one
// seed, and is then run with all.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { data, runtimeInfo, type Tokenizer, train, trainWordPiece } from '../../lib/index.ts'
import { type Benchmark, type FineTuned, fineTuned, sentencesOf } from './encoder.ts'

export const fineTuning = { batchSize: 32, rates: [2e-4, 5e-4, 1e-3], seeds: [1, 2, 3] }

export interface Outcome {
  readonly rate: number
  /** Scores of the first seed, by learning rate. */
  readonly search: ReadonlyMap<number, number>
  /** One run a seed, at the best rate of the search. */
  readonly runs: readonly FineTuned[]
}

export function tasksIn(folder: string): Benchmark[] {
  const files = (name: string, ending: string) => ({
    train: join(folder, name, `train.${ending}`),
    heldOut: join(folder, name, `dev.${ending}`),
  })
  return [
    { name: 'SST-2, accuracy', task: 'classification', ...files('sst2', 'tsv'), epochs: 4 },
    { name: 'TREC, accuracy', task: 'classification', ...files('trec', 'tsv'), epochs: 8 },
    { name: 'WNUT17, entity F1', task: 'tagging', ...files('wnut17', 'conll'), epochs: 8 },
  ]
}

/** The texts, in documents of sentences, and what the tasks train on, without its labels. */
export async function corpusOf(folder: string, benchmarks: readonly Benchmark[]): Promise<string[][]> {
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

export const tokenizerOf = (documents: readonly (readonly string[])[]): Promise<Tokenizer> =>
  trainWordPiece(documents.flat(), { vocabSize: 6000, lowercase: false, modelMaxLength: 128 })

/**
 * The best learning rate by one seed, then all seeds.
 *
 * @param folderOf the encoder to start from, by seed.
 */
export async function compared(
  start: string,
  benchmark: Benchmark,
  folderOf: (seed: number) => string,
  tokenizer: Tokenizer,
): Promise<Outcome> {
  const { rates, seeds, batchSize } = fineTuning
  const run = async (lr: number, seed: number) => {
    const result = await fineTuned(folderOf(seed), tokenizer, benchmark, { lr, seed, batchSize })
    console.log(
      `${benchmark.name}, ${start}, lr ${lr}, seed ${seed}: ${result.score.toFixed(4)} in ${result.seconds.toFixed(0)} s`,
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

/** Share of the most frequent class among the held-out rows; of entities, none. */
export async function majorityOf({ task, train: trained, heldOut }: Benchmark): Promise<number> {
  if (task === 'tagging') return 0
  const labelsOf = async (file: string) => (await train.placedRows([file])).map(({ row }) => String(row.label))
  const counts = new Map<string, number>()
  for (const label of await labelsOf(trained)) counts.set(label, (counts.get(label) ?? 0) + 1)
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] as [string, number]
  const others = await labelsOf(heldOut)
  return others.filter((label) => label === most).length / others.length
}

export const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
export const percent = (share: number) => (100 * share).toFixed(1)
export const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)

/** Mean and range over the seeds. */
export function spreadOf({ runs }: Outcome): string {
  const scores = runs.map(({ score }) => score)
  return `${percent(mean(scores))} (${percent(Math.min(...scores))} to ${percent(Math.max(...scores))})`
}

/** The machine, as a page names it. */
export function machineText(): string {
  const { isa, threads } = runtimeInfo()
  return `${process.arch}, ${isa}, ${threads} threads, Node ${process.version}`
}

export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

export function searchTable(
  entries: readonly { readonly benchmark: Benchmark; readonly start: string; readonly outcome: Outcome }[],
): string {
  const rows = entries.map(({ benchmark, start, outcome }) => [
    benchmark.name,
    start,
    ...fineTuning.rates.map((rate) => percent(outcome.search.get(rate) as number)),
    outcome.rate,
  ])
  return table(['task', 'start', ...fineTuning.rates.map(String), 'chosen'], rows)
}

/** Runs with a folder that is removed afterwards. */
export async function inTemporaryFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'experiment-'))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

export async function writePage(file: string, page: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, page)
  console.log(`written: ${file}`)
}
