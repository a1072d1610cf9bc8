import type { Row } from '../data/index.ts'
import { DataError } from '../errors.ts'
import { labelField, textField } from './fields.ts'
import type { TextExample } from './text-task.ts'

const pronouns = new Set(['he', 'she', 'they', 'it', 'her', 'his', 'their', 'them', 'him'])

/** A pronoun of the premise, and what the hypothesis has in its place. */
interface Match {
  readonly index: number
  /** Words around it that the hypothesis has, too. */
  readonly score: number
  readonly candidate: string
}

/**
 * WNLI in the form of WSC: the hypothesis is the premise with a pronoun replaced, so that the words around the pronoun tell
 * which one it is, and what it is said to refer to. T5 was only evaluated on it.
 */
export function winogradInference(row: Row): readonly TextExample[] {
  const [premise, hypothesis] = [textField(row, 'sentence1').trim(), textField(row, 'sentence2').trim()]
  const [words, others] = [wordsOf(premise), wordsOf(hypothesis)]
  const matches = words.flatMap((word, index) => (pronouns.has(word) ? [matchOf(words, others, index)] : []))
  const best = matches.reduce<Match | null>((most, match) => (most && most.score >= match.score ? most : match), null)
  const target = best && referentOf(best.candidate, hypothesis)
  if (!best || target === null) {
    const got = `${JSON.stringify(premise)} and ${JSON.stringify(hypothesis)}`
    throw new DataError(`task: expected a sentence, and the same with a pronoun replaced, got ${got}`)
  }
  const isRight = row.label === undefined || labelField(row, ['0', '1']) === '1'
  return [{ input: `wsc: ${starred(premise, best.index)}`, target, isRight }]
}

/** Words in lower case, without a mark at their end. */
function wordsOf(sentence: string): string[] {
  return sentence.toLowerCase().split(' ').map(withoutMark)
}

function withoutMark(word: string): string {
  return word.replace(/[.,?!]$/, '')
}

function matchOf(premise: readonly string[], hypothesis: readonly string[], index: number): Match {
  const text = hypothesis.join(' ')
  const [before, after] = [premise.slice(0, index), premise.slice(index + 1)]
  const backwards = (words: readonly string[]) => [...words].reverse()
  const preceding = commonStart(backwards(before), backwards(hypothesis).join(' '))
  const following = commonStart(after, text)
  const start = before.slice(before.length - preceding).map(escaped)
  const end = after.slice(0, following).map(escaped)
  const score = preceding + following
  const found =
    score === 0
      ? null
      : (new RegExp([...start, '(.+)', ...end].join(' ')).exec(text) ??
        new RegExp(['^(.+)', ...end].join(' ')).exec(text) ??
        new RegExp([...start, '(.+)$'].join(' ')).exec(text))
  return { index, score, candidate: found?.[1] ?? '' }
}

/** How many of the first words occur in a text as they follow each other. */
function commonStart(words: readonly string[], text: string): number {
  const missing = words.findIndex((_, i) => !text.includes(words.slice(0, i + 1).join(' ')))
  return missing < 0 ? words.length : missing
}

/** The candidate as the hypothesis writes it, from its last article on, without a mark and a possessive's ending. */
function referentOf(candidate: string, hypothesis: string): string | null {
  if (candidate === '') return null
  const words = candidate.split(' ')
  const article = Math.max(0, ...['a', 'an', 'the'].map((word) => words.indexOf(word)))
  const pattern = words.slice(article).map((word) => `${escaped(word)}[.,?!]?`)
  const found = new RegExp(pattern.join(' '), 'i').exec(hypothesis)
  return found && withoutMark(found[0]).replace(/'s?$/, '')
}

/** A mark that is stuck to the pronoun comes apart. */
function starred(premise: string, index: number): string {
  return premise
    .split(' ')
    .map((word, i) =>
      i === index ? word.replace(/^(.*?)([.,?!]?)$/, (_, plain, mark) => `*${plain}*${mark && ` ${mark}`}`) : word,
    )
    .join(' ')
}

function escaped(word: string): string {
  return word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
