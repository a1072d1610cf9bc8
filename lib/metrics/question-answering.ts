import { DataError } from '../errors.ts'
import { countsOf, f1Of, mean, overlap, zip } from './pairs.ts'

const asciiPunctuation = /[!-/:-@[-`{-~]/g
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu

/** As SQuAD compares answers: lower case, without ASCII punctuation, articles and extra spaces. */
export function normalizeAnswer(text: string): string {
  const words = text.toLowerCase().replace(asciiPunctuation, '').replace(articles, ' ').split(/\s+/)
  return words.filter(Boolean).join(' ')
}

export interface AnswerScores {
  readonly exactMatch: number
  readonly f1: number
}

/**
 * SQuAD's scores of answers, as shares: equal after normalisation, and F1 of the words in common; each question has the best
 * over its reference answers. An answer without words only matches another such.
 *
 * @param references all right answers of each question, at least one.
 * @see Rajpurkar et al. 2016. https://arxiv.org/abs/1606.05250
 */
export function answerScores(predictions: readonly string[], references: readonly (readonly string[])[]): AnswerScores {
  const scores = zip('answerScores', predictions, references).map(([prediction, answers]) => {
    if (answers.length === 0) throw new DataError('answerScores: expected an answer to each question, got none')
    const best = (score: (a: string, b: string) => number) =>
      Math.max(...answers.map((answer) => score(normalizeAnswer(prediction), normalizeAnswer(answer))))
    return { exactMatch: best((a, b) => Number(a === b)), f1: best(wordF1) }
  })
  return { exactMatch: mean(scores.map((each) => each.exactMatch)), f1: mean(scores.map((each) => each.f1)) }
}

function wordF1(prediction: string, answer: string): number {
  if (prediction === '' || answer === '') return Number(prediction === answer)
  const [a, b] = [prediction.split(' '), answer.split(' ')]
  return f1Of(overlap(countsOf(a), countsOf(b)), a.length, b.length)
}
