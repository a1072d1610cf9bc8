// Strings of the tasks, as T5 was trained on them (Raffel et al. 2020, appendix D, and the table of A§2.5).
import { describe, expect, it } from 'vitest'
import { DataError, tasks } from '../../lib/index.ts'

type Row = Readonly<Record<string, unknown>>

const formats: readonly (readonly [name: string, row: Row, input: string, target: string])[] = [
  ['cola', { sentence: 'He go.', label: 0 }, 'cola sentence: He go.', 'unacceptable'],
  ['sst2', { sentence: 'a joy', label: '1' }, 'sst2 sentence: a joy', 'positive'],
  ['mrpc', { sentence1: 'A.', sentence2: 'B.', label: 1 }, 'mrpc sentence1: A. sentence2: B.', 'equivalent'],
  ['stsb', { sentence1: 'A.', sentence2: 'B.', label: 3.25 }, 'stsb sentence1: A. sentence2: B.', '3.2'],
  ['qqp', { question2: 'B?', question1: 'A?', label: 0 }, 'qqp question1: A? question2: B?', 'not_duplicate'],
  ['mnli', { premise: 'P.', hypothesis: 'H.', label: 2 }, 'mnli hypothesis: H. premise: P.', 'contradiction'],
  ['ax', { premise: 'P.', hypothesis: 'H.', label: -1 }, 'mnli hypothesis: H. premise: P.', '<unk>'],
  ['qnli', { question: 'Q?', sentence: 'S.', label: 0 }, 'qnli question: Q? sentence: S.', 'entailment'],
  ['rte', { sentence1: 'A.', sentence2: 'B.', label: 1 }, 'rte sentence1: A. sentence2: B.', 'not_entailment'],
  ['rte', { premise: 'P.', hypothesis: 'H.', label: 0 }, 'rte hypothesis: H. premise: P.', 'entailment'],
  [
    'wnli',
    { sentence1: 'The fish ate the worm. It was tasty.', sentence2: 'The worm was tasty.', label: 1 },
    'wsc: The fish ate the worm. *It* was tasty.',
    'The worm',
  ],
  [
    'wnli',
    {
      sentence1: 'I stuck a pin through a carrot. When I pulled the pin out, it had a hole.',
      sentence2: 'The carrot had a hole.',
      label: 1,
    },
    'wsc: I stuck a pin through a carrot. When I pulled the pin out, *it* had a hole.',
    'The carrot',
  ],
  [
    'wnli',
    {
      sentence1: "The trophy doesn't fit. Tom said he saw her, and took his bag.",
      sentence2: "Tom said he saw her, and took Ann's bag.",
      label: 0,
    },
    "wsc: The trophy doesn't fit. Tom said he saw her, and took *his* bag.",
    'Ann',
  ],
  [
    'wnli',
    {
      sentence1: 'Bob paid for Charlie, and thanked him.',
      sentence2: 'Bob paid for Charlie, and thanked Charlie.',
      label: 1,
    },
    'wsc: Bob paid for Charlie, and thanked *him* .',
    'Charlie',
  ],
  ['boolq', { question: 'q', passage: 'P.', label: true }, 'boolq passage: P. question: q', 'True'],
  ['cb', { premise: 'P.', hypothesis: 'H.', label: 1 }, 'cb hypothesis: H. premise: P.', 'contradiction'],
  [
    'copa',
    { premise: 'It rained.', choice1: 'Wet.', choice2: 'Dry.', question: 'effect', label: 0 },
    'copa choice1: Wet. choice2: Dry. premise: It rained. question: effect',
    'choice1',
  ],
  [
    'multirc',
    { paragraph: '<b>Sent 1: </b>A.<br>', question: 'Q?', answer: 'B', label: 0, idx: { paragraph: 3, question: 7 } },
    'multirc question: Q? answer: B paragraph: Sent 1: A. ',
    'False',
  ],
  [
    'record',
    {
      query: 'A @placeholder is a bird.',
      entities: ['penguin', 'potato'],
      passage: 'It said.\n@highlight\nOne\n@highlight\nTwo',
      answers: ['penguin'],
    },
    'record query: A @placeholder is a bird. entities: penguin, potato passage: It said. One. Two',
    'penguin',
  ],
  [
    'wic',
    { sentence1: 'A place.', sentence2: 'To place.', word: 'place', label: 0, start1: 2 },
    'wic sentence1: A place. sentence2: To place. word: place',
    'False',
  ],
  [
    'wsc',
    {
      text: 'Mitchell asked Tom if he could lend some money.',
      span1_text: 'Tom',
      span2_text: 'he',
      span2_index: 4,
      label: 1,
    },
    'wsc: Mitchell asked Tom if *he* could lend some money.',
    'Tom',
  ],
  [
    'wsc',
    { text: '"Good for him," he said. ', span1_text: 'John', span2_text: 'him', span2_index: 2, label: 1 },
    'wsc: "Good for *him* ," he said.',
    'John',
  ],
  [
    'wsc',
    { text: 'They might want to use it , but really', span1_text: 'the pebble', span2_text: 'it', span2_index: 4 },
    'wsc: They might want to use *it* , but really',
    'the pebble',
  ],
  [
    'dpr',
    {
      sentence: 'The bee landed on the flower because it had pollen, it.',
      pronoun: 'it',
      candidates: ['The bee', 'the flower'],
      label: 1,
    },
    'wsc: The bee landed on the flower because *it* had pollen, it.',
    'the flower',
  ],
  [
    'squad',
    {
      question: "What's it?",
      context: 'It is  (a) U.S. thing.',
      answers: { text: ['U.S.', 'a U.S. thing'], answer_start: [11, 7] },
    },
    "question: What ' s it ? context: It is ( a ) U . S . thing .",
    'U . S .',
  ],
  ['cnn_dailymail', { article: 'A long text.', highlights: 'A text .' }, 'summarize: A long text.', 'A text .'],
  ['wmt_en_de', { en: 'A house.', de: 'Ein Haus.' }, 'translate English to German: A house.', 'Ein Haus.'],
  ['wmt_en_fr', { translation: { en: 'Yes.', fr: 'Oui.' } }, 'translate English to French: Yes.', 'Oui.'],
  ['wmt_en_ro', { en: 'Yes.', ro: 'Da.' }, 'translate English to Romanian: Yes.', 'Da.'],
]

describe('formats', () => {
  it.each(formats)('%s %j', (name, row, input, target) => {
    const [first] = tasks.textTask(name).format(row)
    expect([first?.input, first?.target]).toEqual([input, target])
  })

  it('are there for every task', () => {
    expect([...new Set(formats.map(([name]) => name))].sort()).toEqual([...tasks.textTaskNames].sort())
  })

  it('rounds similarities half to even', () => {
    const labels = [0, 0.1, 0.3, 2.5, 2.7, 4.9, 5]
    const targets = labels.map(
      (label) => tasks.textTask('stsb').format({ sentence1: 'A', sentence2: 'B', label })[0]?.target,
    )
    // Fives of 0.5, 1.5, 12.5, 13.5 and 24.5 are ties.
    expect(targets).toEqual(['0.0', '0.0', '0.4', '2.4', '2.8', '4.8', '5.0'])
  })

  it('has one example for each answer of ReCoRD, all with all answers', () => {
    const row = { query: 'q', entities: ['a', 'b'], passage: 'p', answers: ['a', 'b'] }
    const examples = tasks.textTask('record').format(row)
    expect(examples.map(({ target }) => target)).toEqual(['a', 'b'])
    for (const { answers } of examples) expect(answers).toEqual(['a', 'b'])
  })

  it.each([
    ['sst2', { text: 'a joy', label: 1 }, 'expected a text in column sentence (of text, label), got undefined'],
    ['sst2', { sentence: 'a joy', label: 2 }, 'expected label to be negative, positive, or its number, got "2"'],
    ['stsb', { sentence1: 'A', sentence2: 'B', label: 'x' }, 'expected a number in column label, got "x"'],
    ['squad', { question: 'Q', context: 'C', answers: { text: [] } }, 'expected an answer to each question'],
    ['record', { query: 'q', passage: 'p', entities: 'a' }, 'expected a list of texts in column entities'],
    [
      'wsc',
      { text: 'a b c', span1_text: 'a', span2_text: 'x', span2_index: 1 },
      'expected "x" as word 1 of text, got b',
    ],
    ['wnli', { sentence1: 'No one is here.', sentence2: 'A worm is here.' }, 'the same with a pronoun replaced'],
    ['dpr', { sentence: 'a b', pronoun: 'it', candidates: ['a', 'b'], label: 0 }, 'expected "it" in sentence'],
  ])('%s refuses %j', (name, row, message) => {
    const format = () => tasks.textTask(name).format(row)
    expect(format).toThrow(DataError)
    expect(format).toThrow(message)
  })

  it('knows no other names', () => expect(() => tasks.textTask('sst')).toThrow('expected cola, sst2'))
})

/** Scores of a task for rows and what was written for them. */
function scored(name: string, rows: readonly Row[], predictions: readonly string[]) {
  const task = tasks.textTask(name)
  const scores = task.score(
    predictions,
    rows.map((row) => task.format(row)[0] as tasks.TextExample),
  )
  expect(Object.keys(scores)).toContain(task.metric)
  return scores
}

describe('scores', () => {
  const pair = (label: number) => ({ sentence1: 'A', sentence2: 'B', label })

  it('count a text that is no class as the wrong one', () => {
    // Of mrpc: one right positive, one invalid for a positive, one invalid for a negative, one right negative.
    const rows = [pair(1), pair(1), pair(0), pair(0)]
    const { f1, accuracy } = scored('mrpc', rows, ['equivalent', 'maybe', '', 'not_equivalent '])
    expect([f1, accuracy]).toEqual([0.5, 0.5])
  })

  it('count numbers that cannot be read as −1', () => {
    const rows = [0, 2, 4].map(pair)
    expect(scored('stsb', rows, ['0.0', '2.0', '4.0'])).toEqual({ pearson: 1, spearman: 1 })
    const { spearman } = scored('stsb', rows, ['0.0', 'two', '4.0'])
    // Ranks 2 1 3 against 1 2 3.
    expect(spearman).toBeCloseTo(0.5, 12)
  })

  it('take the mean over all classes of CB, also those that are not there', () => {
    const rows = [0, 0, 1].map((label) => ({ premise: 'P', hypothesis: 'H', label }))
    const { macroF1 } = scored('cb', rows, ['entailment', 'neutral', 'contradiction'])
    expect(macroF1).toBeCloseTo((2 / 3 + 1 + 0) / 3, 12)
  })

  it('judge all answers to a question of MultiRC together', () => {
    const rows = [0, 0, 1].map((question, i) => ({
      ...{ paragraph: 'P', question: 'Q', answer: 'A', label: Number(i !== 1), idx: { paragraph: 0, question } },
    }))
    const { f1, exactMatch } = scored('multirc', rows, ['True', 'True', 'True'])
    expect(f1).toBeCloseTo(0.8, 12)
    expect(exactMatch).toBe(0.5)
  })

  it('tell referents of WSC loosely, and against whether they are right', () => {
    const row = (span1_text: string, label: number) => ({
      ...{ text: 'He saw it there', span1_text, span2_text: 'it', span2_index: 2, label },
    })
    const rows = [
      row('the fuzzy bunny', 1),
      row('the fuzzy bunny', 0),
      row("Bob's hat", 1),
      row('Bob', 1),
      row('Bob', 0),
    ]
    const predictions = ['Bunny', 'a bunny', 'Bob', '', 'the']
    expect(scored('wsc', rows, predictions).accuracy).toBeCloseTo(1 / 5, 12)
  })

  it('compare answers as SQuAD does, with all right ones', () => {
    const rows = [{ question: 'q', context: 'c', answers: { text: ['the U.S.', 'America'] } }]
    expect(scored('squad', rows, ['u . s .'])).toEqual({ exactMatch: 1, f1: 1 })
    expect(scored('squad', rows, ['america now']).f1).toBeCloseTo(2 / 3, 12)
  })

  it('take sentences of summaries apart', () => {
    const rows = [{ article: 'a', highlights: 'one two . three four .' }]
    const { rougeL, rougeLsum } = scored('cnn_dailymail', rows, ['three four . one two .'])
    expect(rougeL).toBe(0.5)
    expect(rougeLsum).toBe(1)
  })

  it('give BLEU in percent', () => {
    expect(
      scored('wmt_en_de', [{ en: 'x', de: 'ein kleines Haus am See' }], ['ein kleines Haus am See']).bleu,
    ).toBeCloseTo(100, 9)
  })

  it('give Matthews and accuracy', () => {
    const rows = [0, 1, 1].map((label) => ({ sentence: 's', label }))
    expect(scored('cola', rows, ['unacceptable', 'acceptable', 'acceptable'])).toEqual({ matthews: 1 })
    expect(scored('sst2', rows, ['negative', 'positive', 'none']).accuracy).toBeCloseTo(2 / 3, 12)
  })
})

describe('a task of one’s own', () => {
  it('fills columns in', () => {
    const task = tasks.customTask({ name: 'nlg', input: 'describe: {mr} | {n}', target: '{ref}', score: 'bleu' })
    expect(task.format({ mr: 'name[X]', n: 2, ref: 'X is.' })).toEqual([
      { input: 'describe: name[X] | 2', target: 'X is.' },
    ])
    expect([task.name, task.metric, task.maxTargetLength]).toEqual(['nlg', 'bleu', 512])
    expect(() => task.format({ mr: 'x', ref: 'y' })).toThrow('expected a text in column n (of mr, ref)')
  })

  it.each(['accuracy', 'answers', 'bleu', 'correlation', 'rouge'] as const)('scores by %s', (score) => {
    const task = tasks.customTask({ input: '{a}', target: '{b}', score })
    const examples = ['1 one two three', '2 and a half of it'].flatMap((b) => task.format({ a: 'x', b }))
    const numbers = ['1', '2'].flatMap((b) => task.format({ a: 'x', b }))
    const given = score === 'correlation' ? numbers : examples
    const perfect = task.score(
      given.map(({ target }) => target),
      given,
    )
    expect(perfect[task.metric]).toBeCloseTo(score === 'bleu' ? 100 : 1, 9)
  })

  it('needs columns and a known score', () => {
    expect(() => tasks.customTask({ input: 'x', target: '{b}' })).toThrow('expected input with a {column}')
    expect(() => tasks.customTask({ input: '{a}', target: '{b}', score: 'blue' as 'bleu' })).toThrow(
      'expected score to be',
    )
  })
})
