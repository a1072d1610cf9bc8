// Every head of both families learns a small task that it can only solve by reading the text, from files.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fineTuningOf, type HeadSettings } from '../../lib/cli/training/heads.ts'
import {
  AutoTokenizer,
  optim,
  Random,
  type T5ForConditionalGeneration,
  type Tokenizer,
  tasks,
  train,
} from '../../lib/index.ts'
import { type Family, writeBase } from '../train/bases.ts'

let root: string
const tokenizers = new Map<Family, Tokenizer>()
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'heads-'))
  for (const family of ['t5', 'electra'] as const) {
    await writeBase(join(root, family), family)
    tokenizers.set(family, await AutoTokenizer.fromPretrained(join(root, family)))
  }
})
afterAll(() => rmSync(root, { recursive: true }))

const people = ['anna', 'peter', 'maria', 'smith']
const places = ['berlin', 'paris', 'london', 'tower']
const fillers = ['the', 'sun', 'moon', 'river', 'story', 'film']

type Pick = <T>(values: readonly T[]) => T

/** The text of a file of rows that differ from each other. */
function fileOf(count: number, seed: number, line: (pick: Pick) => string): string {
  const lines = Array.from({ length: count }, (_, i) => {
    const random = new Random(seed).at(i)
    return line((values) => values[random.below(values.length)] as (typeof values)[number])
  })
  return lines.join('\n')
}

interface Case {
  readonly task: HeadSettings['task']
  /** Ending of the file, and what it begins with. */
  readonly file: readonly [ending: string, start?: string, end?: string, separator?: string]
  readonly line: (pick: Pick) => string
  readonly columns?: Partial<HeadSettings>
  readonly families: readonly Family[]
  readonly steps: number
  readonly metric: string
}

const opinion = (pick: Pick) => {
  const word = pick(['good', 'bad'])
  return [`${pick(fillers)} ${pick(fillers)} ${word} ${pick(fillers)}`, word] as const
}
const question = (pick: Pick) => {
  const [who, where] = [pick(people), pick(places)]
  const context = pick([`${who} lives in ${where} the ${pick(fillers)}`, `${pick(fillers)} of ${where} ${who}`])
  return { question: 'where ?', context, answers: [{ text: where, answer_start: context.indexOf(where) }] }
}

const cases: Readonly<Record<string, Case>> = {
  classification: {
    task: 'classification',
    file: ['tsv', 'review\tlabel\n'],
    line: (pick) => opinion(pick).join('\t'),
    families: ['electra', 't5'],
    steps: 60,
    metric: 'accuracy',
  },
  'several labels at once': {
    task: 'multi-label',
    file: ['tsv', 'text\tlabel\n'],
    line(pick) {
      const words = [pick(['good', 'very']), pick(['new', 'old'])]
      const labels = [...(words[0] === 'good' ? ['kind'] : []), ...(words[1] === 'new' ? ['fresh'] : [])]
      return `${pick(fillers)} ${words.join(' ')}\t${labels.join(', ') || 'none'}`
    },
    families: ['electra'],
    steps: 100,
    metric: 'macroF1',
  },
  regression: {
    task: 'regression',
    file: ['csv', 'a,b,score\n'],
    line(pick) {
      const words = [pick(['old', 'new']), pick(['old', 'new'])]
      return `the ${words[0]} ${pick(fillers)},the ${words[1]} ${pick(fillers)},${words[0] === 'old' ? 2 : -1}`
    },
    columns: { textColumn: 'a', pairColumn: 'b', labelColumn: 'score' },
    families: ['electra', 't5'],
    steps: 60,
    metric: 'pearson',
  },
  tagging: {
    task: 'tagging',
    file: ['conll'],
    line: (pick) =>
      `${pick(fillers)}\tO\n${pick(people)}\tB-PER\n${pick(people)}\tI-PER\n${pick(fillers)}\tO\n${pick(places)}\tB-LOC\n`,
    families: ['electra', 't5'],
    steps: 120,
    metric: 'f1',
  },
  'question-answering': {
    task: 'question-answering',
    file: ['json', '{"data":[{"paragraphs":[', ']}]}', ','],
    line(pick) {
      const { context, ...qa } = question(pick)
      return JSON.stringify({ context, qas: [{ id: '1', ...qa }] })
    },
    families: ['electra', 't5'],
    steps: 80,
    metric: 'f1',
  },
  'multiple-choice': {
    task: 'multiple-choice',
    file: ['jsonl'],
    line(pick) {
      const label = pick([0, 1, 2])
      const choices = [0, 1, 2].map((i) => pick(i === label ? people : places))
      return JSON.stringify({ text: `${pick(fillers)} ?`, choices, label })
    },
    families: ['electra'],
    steps: 60,
    metric: 'accuracy',
  },
  'text-to-text': {
    task: tasks.textTask('sst2'),
    file: ['tsv', 'sentence\tlabel\n'],
    line(pick) {
      const [text, word] = opinion(pick)
      return `${text}\t${Number(word === 'good')}`
    },
    families: ['t5'],
    steps: 120,
    metric: 'accuracy',
  },
}

describe.each(Object.entries(cases))('%s', (name, { task, file, line, columns, families, steps, metric }) => {
  it.each(families)('is learnt by %s', async (family) => {
    const [ending, begin = '', end = '', separator = '\n'] = file
    const [trained, heldOut] = ([1, 2] as const).map((seed) => {
      const path = join(root, `${name}-${seed}.${ending}`)
      const text = fileOf(seed === 1 ? 128 : 48, seed, line)
      writeFileSync(path, begin + (separator === '\n' ? text : text.replaceAll('\n', separator)) + end)
      return path
    }) as [string, string]
    const settings = {
      task,
      train: [trained],
      eval: [heldOut],
      maxLength: 48,
      docStride: 8,
      maxAnswerLength: 5,
      ...columns,
    }
    const tokenizer = tokenizers.get(family) as Tokenizer
    using tuning = await fineTuningOf(join(root, family), tokenizer, settings, { seed: 3 })
    const { model, head } = tuning
    expect(head.metric).toBe(metric)
    const before = await head.evaluate(tuning.heldOut as never, 16)
    using optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters()))
    using trainer = new train.Trainer({
      objective: train.lossObjective(model as typeof model & train.ModelWithLoss<object>),
      optimizer,
      data: train.batchesOf(head as never, tuning.train, { batchSize: 16 }),
      lr: 3e-3,
      schedule: { type: 'linear', totalSteps: steps },
      maxSteps: steps,
    })
    for await (const _ of trainer.run());
    const after = await head.evaluate(tuning.heldOut as never, 16)
    expect(after[metric]).toBeGreaterThan(0.9)
    expect(before[metric] || 0).toBeLessThan(0.8)
    if (typeof task !== 'object') return
    // Among the two labels the right ones are the more likely ones.
    const t5 = model as unknown as T5ForConditionalGeneration
    const chooses = new train.TextToTextHead(t5, tokenizer, task, ['negative', 'positive'])
    expect((await chooses.evaluate(tuning.heldOut as never, 16))[metric]).toBeGreaterThan(0.9)
  })
})
