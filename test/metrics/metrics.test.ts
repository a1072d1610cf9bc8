import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { metrics } from '../../lib/index.ts'

// Values of scikit-learn, scipy, sacreBLEU 2.6.0 and transformers' SQuAD metrics.
const golden = JSON.parse(readFileSync(new URL('../golden/metrics/values.json', import.meta.url), 'utf8'))

describe('classes', () => {
  it('of several have accuracy, macro F1 and correlation', () => {
    const { predictions, references, accuracy, macroF1, matthews } = golden.classes
    expect(metrics.accuracy(predictions, references)).toBeCloseTo(accuracy, 12)
    expect(metrics.macroF1(predictions, references)).toBeCloseTo(macroF1, 12)
    expect(metrics.matthews(predictions, references)).toBeCloseTo(matthews, 12)
  })

  it('of two have F1, correlation and an area under the curve', () => {
    const { predictions, references, scores, f1, matthews, auc } = golden.binary
    expect(metrics.f1(predictions, references)).toBeCloseTo(f1, 12)
    expect(metrics.matthews(predictions, references)).toBeCloseTo(matthews, 12)
    expect(metrics.auc(scores, references)).toBeCloseTo(auc, 12)
  })

  it('may have names, be all of one kind, or be unpredicted', () => {
    expect(metrics.f1(['yes', 'no'], ['yes', 'yes'], 'yes')).toBeCloseTo(2 / 3, 12)
    expect(metrics.f1([0, 0], [0, 0])).toBe(0)
    expect(metrics.matthews([1, 1], [1, 0])).toBe(0)
    expect(metrics.accuracy(Int32Array.of(1, 2), [1, 2])).toBe(1)
    expect(() => metrics.auc([1, 2], [1, 1])).toThrow(/expected references of 0 and 1/)
    expect(() => metrics.accuracy([], [])).toThrow(/accuracy: expected as many .* at least one, got 0 and 0/)
    expect(() => metrics.f1([1], [1, 2])).toThrow(/got 1 and 2/)
  })
})

it('numbers have correlations', () => {
  const { predictions, references, pearson, spearman } = golden.numbers
  expect(metrics.pearson(predictions, references)).toBeCloseTo(pearson, 12)
  expect(metrics.spearman(predictions, references)).toBeCloseTo(spearman, 12)
  expect(metrics.pearson([1, 1], [1, 2])).toBeNaN()
})

it('perplexity is of all tokens together', () => {
  expect(metrics.perplexity([Math.log(8), Math.log(4)], [3, 2])).toBeCloseTo(2, 12)
})

it('answers have SQuAD scores', () => {
  for (const { prediction, references, exact, f1 } of golden.qa) {
    const scores = metrics.answerScores([prediction], [references])
    expect(scores.exactMatch).toBe(exact)
    expect(scores.f1).toBeCloseTo(f1, 12)
  }
  expect(metrics.answerScores(['a cat', 'dog'], [['cat'], ['x']])).toEqual({ exactMatch: 0.5, f1: 0.5 })
  expect(() => metrics.answerScores(['a'], [[]])).toThrow(/expected an answer/)
})

describe('entities', () => {
  const entity = (type: string, start: number, end: number) => ({ type, start, end })
  it.each([
    ['B-PER I-PER O B-LOC', [entity('PER', 0, 2), entity('LOC', 3, 4)]],
    ['B-PER B-PER I-LOC', [entity('PER', 0, 1), entity('PER', 1, 2), entity('LOC', 2, 3)]],
    ['I-PER I-PER', [entity('PER', 0, 2)]],
    ['B-X I-X E-X S-X E-X', [entity('X', 0, 3), entity('X', 3, 4), entity('X', 4, 5)]],
    ['S-X I-X E-X I-X', [entity('X', 0, 1), entity('X', 1, 3), entity('X', 3, 4)]],
    ['O O', []],
  ])('%s', (tags, entities) => {
    expect(metrics.entitiesOf(tags.split(' '))).toEqual(entities)
  })

  it('are right when type and both ends are', () => {
    const predictions = [['B-PER', 'I-PER', 'O', 'B-LOC'], ['B-ORG']]
    const references = [['B-PER', 'I-PER', 'B-PER', 'B-ORG'], ['O']]
    expect(metrics.entityScores(predictions, references)).toEqual({ precision: 1 / 3, recall: 1 / 3, f1: 1 / 3 })
    expect(metrics.entityScores([['O']], [['O']])).toEqual({ precision: 0, recall: 0, f1: 0 })
    expect(() => metrics.entityScores([['O']], [['O', 'O']])).toThrow(/a tag for each of 2 tokens, got 1/)
    expect(() => metrics.entitiesOf(['PER'])).toThrow(/got "PER"/)
  })
})

interface BleuCase {
  readonly tokenize: '13a' | 'intl'
  readonly lowercase: boolean
  readonly references: number
  readonly score: number
  readonly precisions: readonly number[]
  readonly bp: number
  readonly sysLen: number
  readonly refLen: number
  readonly signature: string
}

describe('BLEU', () => {
  const { predictions, references, cases } = golden.bleu
  it.each(cases as BleuCase[])('$signature', (expected) => {
    const perText = (predictions as string[]).map((_, i) =>
      (references as string[][]).slice(0, expected.references).map((texts) => texts[i] as string),
    )
    const { tokenize, lowercase } = expected
    const got = metrics.bleu(predictions, perText, { tokenize, lowercase })
    expect(got.score).toBeCloseTo(expected.score, 9)
    expected.precisions.forEach((precision, i) => {
      expect(got.precisions[i]).toBeCloseTo(precision, 9)
    })
    expect(got.brevityPenalty).toBeCloseTo(expected.bp, 12)
    expect([got.length, got.referenceLength]).toEqual([expected.sysLen, expected.refLen])
    expect(got.signature).toBe(expected.signature)
  })

  it('is 0 without a word in common, and refuses references that are missing', () => {
    expect(metrics.bleu(['x y'], [['a b']]).score).toBe(0)
    expect(metrics.bleu([''], [['a b']])).toMatchObject({ score: 0, brevityPenalty: 0 })
    expect(() => metrics.bleu(['x', 'y'], [['a'], []])).toThrow(/as many everywhere/)
  })
})

describe('ROUGE', () => {
  it('counts words, pairs and subsequences', () => {
    // 5 of 6 words; (on, the), (the, mat), (the, cat) of 5 pairs; the cat on the mat.
    const scores = metrics.rouge(['The cat sat on the mat.'], ['the cat IS on the mat'])
    expect(scores.rouge1).toBeCloseTo(5 / 6, 12)
    expect(scores.rouge2).toBeCloseTo(3 / 5, 12)
    expect(scores.rougeL).toBeCloseTo(5 / 6, 12)
    expect(scores.rougeLsum).toBeCloseTo(5 / 6, 12)
  })

  it('takes sentences of a summary in any order, and each word as often as it is there', () => {
    const scores = metrics.rouge(['a b c\nd e'], ['d e\na b c'])
    expect(scores.rougeL).toBeCloseTo(3 / 5, 12)
    expect(scores.rougeLsum).toBe(1)
    // Lin's example: w1 w2 of one and w1 w3 w5 of another make 4 of 5 words of the reference.
    const union = metrics.rouge(['w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5'], ['w1 w2 w3 w4 w5'])
    expect(union.rougeLsum).toBeCloseTo((2 * 4) / (10 + 5), 12)
  })

  it('is a mean, and 0 without words', () => {
    expect(metrics.rouge(['a', '…'], ['a', 'b']).rouge1).toBe(0.5)
    expect(metrics.rouge(['', ''], ['', 'b'])).toEqual({ rouge1: 0, rouge2: 0, rougeL: 0, rougeLsum: 0 })
  })
})
