// Does pre-training a small encoder on a few megabytes of text help it on tasks of a few thousand rows? All starts have the
// same encoder, tokenizer, steps and search for a learning rate: random numbers, what was pre-trained, or its embeddings alone.
import { join } from 'node:path'
import {
  compared,
  corpusOf,
  fineTuning,
  inTemporaryFolder,
  machineText,
  majorityOf,
  mean,
  megabytes,
  type Outcome,
  percent,
  searchTable,
  spreadOf,
  table,
  tasksIn,
  tokenizerOf,
  writePage,
} from './comparison.ts'
import { type Benchmark, type Measured, pretrained, tokenized, untrained, withFreshLayers } from './encoder.ts'
import type { Experiment } from './main.ts'

const pretraining = { objective: 'mlm', steps: 6000, batchSize: 32, maskRate: 0.25, lr: 1e-3, seed: 1 } as const

const startNames = ['from scratch', 'pre-trained', 'pre-trained embeddings'] as const
type Start = (typeof startNames)[number]

interface TaskOutcome {
  readonly benchmark: Benchmark
  /** Score of always saying the most frequent class; of entities, of saying nothing. */
  readonly majority: number
  readonly starts: Readonly<Record<Start, Outcome>>
}

export async function runTasks({ data: folder, results }: Experiment): Promise<void> {
  const benchmarks = tasksIn(folder)
  const documents = await corpusOf(folder, benchmarks)
  const tokenizer = await tokenizerOf(documents)
  const corpus = await tokenized(documents, tokenizer)
  await inTemporaryFolder(async (models) => {
    const pretrainedFolder = join(models, 'pretrained')
    const cost = await pretrained(pretrainedFolder, { tokenizer, documents: corpus, ...pretraining })
    const scratchFolder = (seed: number) => join(models, `untrained-${seed}`)
    const freshFolder = (seed: number) => join(models, `fresh-layers-${seed}`)
    for (const seed of fineTuning.seeds) {
      await untrained(scratchFolder(seed), tokenizer, seed)
      await withFreshLayers(pretrainedFolder, freshFolder(seed), tokenizer, seed)
    }
    const outcomes: TaskOutcome[] = []
    for (const benchmark of benchmarks) {
      const starts = {
        'from scratch': await compared('from scratch', benchmark, scratchFolder, tokenizer),
        'pre-trained': await compared('pre-trained', benchmark, () => pretrainedFolder, tokenizer),
        'pre-trained embeddings': await compared('pre-trained embeddings', benchmark, freshFolder, tokenizer),
      }
      outcomes.push({ benchmark, majority: await majorityOf(benchmark), starts })
    }
    await writePage(results, pageOf(outcomes, cost))
  })
}

function pageOf(outcomes: readonly TaskOutcome[], cost: Measured): string {
  const { steps, batchSize, maskRate, lr } = pretraining
  const rows = outcomes.map(({ benchmark, majority, starts }) => {
    const all = startNames.flatMap((start) => starts[start].runs)
    const seconds = mean(all.map((run) => run.seconds))
    const peak = Math.max(...all.map((run) => run.peakBytes))
    const cells = [benchmark.name, percent(majority), ...startNames.map((start) => spreadOf(starts[start]))]
    return [...cells, benchmark.epochs, seconds.toFixed(0), megabytes(peak)]
  })
  const search = outcomes.flatMap(({ benchmark, starts }) =>
    Object.entries(starts).map(([start, outcome]) => ({ benchmark, start, outcome })),
  )
  return `# Small tasks, with and without pre-training

\`npm run experiment -- tasks\` makes this page. A two-layer ELECTRA encoder (width 128) is fine-tuned from random numbers, and
after pre-training on ${(cost.tokens / 1e6).toFixed(1)} million tokens of text (masked tokens, ${100 * maskRate} %, ${steps} steps of ${batchSize} segments, rate ${lr}):
the files of \`text/\` and the training rows without their labels, from which its cased WordPiece vocabulary is learnt, too.
"Pre-trained embeddings" keeps only the embeddings and starts with random layers.
Scores are percent on the development files, means over ${fineTuning.seeds.length} seeds (from the lowest to the highest). Each start takes the best
of the same learning rates, found with the first seed.

${table(['task', 'majority', ...startNames, 'epochs', 'seconds', 'peak MB'], rows)}

Seconds and memory are those of one fine-tuning. Pre-training took ${cost.seconds.toFixed(0)} s and ${megabytes(cost.peakBytes)} MB. On ${machineText()};
the machine had other work to do, so that times are upper bounds.

The search, with the first seed:

${searchTable(search)}
`
}
