// The question of table 5 of Clark et al. 2020 (ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators)
// in small: at equal training time on one corpus, which objective gives the encoder that is fine-tuned to the better score?
import { join } from 'node:path'
import {
  compared,
  corpusOf,
  fineTuning,
  inTemporaryFolder,
  machineText,
  mean,
  type Outcome,
  percent,
  searchTable,
  spreadOf,
  table,
  tasksIn,
  tokenizerOf,
  writePage,
} from './comparison.ts'
import { type Benchmark, type Pretrained, type PretrainingObjective, pretrained, tokenized } from './encoder.ts'
import type { Experiment } from './main.ts'

/** The time is that of as many steps of masked-language modelling. */
const maskedSteps = 2000
const shared = { batchSize: 32, maskRate: 0.25, lr: 1e-3 }
const objectives: readonly PretrainingObjective[] = ['mlm', 'joint']
const names: Readonly<Record<PretrainingObjective, string>> = { mlm: 'masked tokens', joint: 'replaced tokens' }

export async function runElectraVersusMasked({ data: folder, results }: Experiment): Promise<void> {
  const benchmarks = tasksIn(folder)
  const documents = await corpusOf(folder, benchmarks)
  const tokenizer = await tokenizerOf(documents)
  const corpus = await tokenized(documents, tokenizer)
  await inTemporaryFolder(async (models) => {
    const train = (objective: PretrainingObjective, steps: number, seed: number) =>
      pretrained(join(models, `${objective}-${seed}`), {
        ...shared,
        ...{ objective, tokenizer, documents: corpus, steps, seed },
      })
    const share = await stepTimeRatio(train)
    const steps = { mlm: maskedSteps, joint: Math.round(maskedSteps / share) }
    console.log(`a joint step takes ${share.toFixed(2)} masked ones: ${steps.joint} steps`)
    const costs = new Map<PretrainingObjective, Pretrained[]>(objectives.map((objective) => [objective, []]))
    for (const seed of fineTuning.seeds) {
      for (const objective of objectives) costs.get(objective)?.push(await train(objective, steps[objective], seed))
    }
    const outcomes: Contest[] = []
    for (const benchmark of benchmarks) {
      const of = (objective: PretrainingObjective) =>
        compared(names[objective], benchmark, (seed) => join(models, `${objective}-${seed}`), tokenizer)
      outcomes.push({ benchmark, mlm: await of('mlm'), joint: await of('joint') })
    }
    await writePage(results, pageOf(outcomes, steps, costs))
  })
}

interface Contest extends Readonly<Record<PretrainingObjective, Outcome>> {
  readonly benchmark: Benchmark
}

/** Time of a joint step in masked ones: the median of rounds that alternate, so that other work meets both alike. */
async function stepTimeRatio(
  train: (objective: PretrainingObjective, steps: number, seed: number) => Promise<Pretrained>,
): Promise<number> {
  const ratios: number[] = []
  for (let round = 0; round < 5; round++) {
    const seconds = { mlm: 0, joint: 0 }
    for (const objective of objectives) seconds[objective] = (await train(objective, 40, round)).seconds
    ratios.push(seconds.joint / seconds.mlm)
  }
  return ratios.sort((a, b) => a - b)[2] as number
}

function pageOf(
  outcomes: readonly Contest[],
  steps: Readonly<Record<PretrainingObjective, number>>,
  costs: ReadonlyMap<PretrainingObjective, readonly Pretrained[]>,
): string {
  const scoresOf = (objective: PretrainingObjective) =>
    outcomes.map((outcome) => mean(outcome[objective].runs.map(({ score }) => score)))
  const rows = objectives.map((objective) => {
    const runs = costs.get(objective) ?? []
    const tokens = mean(runs.map((run) => run.tokens)) / 1e6
    const cells = [
      names[objective],
      steps[objective],
      mean(runs.map((run) => run.seconds)).toFixed(0),
      tokens.toFixed(1),
    ]
    return [...cells, ...outcomes.map((outcome) => spreadOf(outcome[objective])), percent(mean(scoresOf(objective)))]
  })
  const search = outcomes.flatMap(({ benchmark, mlm, joint }) => [
    { benchmark, start: names.mlm, outcome: mlm },
    { benchmark, start: names.joint, outcome: joint },
  ])
  const tasks = outcomes.map(({ benchmark }) => benchmark.name)
  return `# Replaced-token detection against masked-language modelling, at equal time

\`npm run experiment -- electra-vs-mlm\` makes this page. A two-layer ELECTRA encoder (width 128) is pre-trained on the same text
(\`text/\` and the training rows without their labels) in the same time: to fill masked tokens in, or to find what a generator of
half its width replaced, at ${100 * shared.maskRate} % of the positions, ${shared.batchSize} segments a step, rate ${shared.lr}. Then it is fine-tuned. Scores are percent
on the development files, means over ${fineTuning.seeds.length} seeds of both trainings (from the lowest to the highest); each objective takes the best
of the same learning rates for fine-tuning, found with the first seed.

${table(['pre-trained on', 'steps', 'seconds', 'million tokens', ...tasks, 'mean'], rows)}

${judgingText(costs.get('joint') ?? [])}

How many steps take equal time was measured before, in rounds that alternate. On ${machineText()}.

The search, with the first seed:

${searchTable(search)}
`
}

function judgingText(runs: readonly Pretrained[]): string {
  const found = runs.flatMap(({ judging }) => judging ?? [])
  const loss = mean(found.map((judging) => judging.loss)).toFixed(3)
  const base = mean(found.map((judging) => judging.baseLoss)).toFixed(3)
  const replaced = percent(mean(found.map((judging) => judging.replaced)))
  return `At its end the discriminator has a loss of ${loss} nats; always saying the share of replaced tokens (${replaced} %) has ${base}.`
}
