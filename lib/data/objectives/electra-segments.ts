import { ConfigError, describe } from '../../errors.ts'
import type { Random } from '../../random.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'

/** The special ids of ELECTRA's vocabulary. */
export interface ElectraVocabulary {
  readonly clsTokenId: number
  readonly sepTokenId: number
  readonly maskTokenId: number
}

/** @throws {ConfigError} for a tokenizer that has no `[CLS]`, `[SEP]` or `[MASK]`. */
export function electraVocabulary({ clsTokenId, sepTokenId, maskTokenId }: Tokenizer): ElectraVocabulary {
  if (clsTokenId === null || sepTokenId === null || maskTokenId === null) {
    throw new ConfigError('electra: expected a tokenizer with clsToken, sepToken and maskToken, got one without')
  }
  return { clsTokenId, sepTokenId, maskTokenId }
}

/** One example of an encoder. */
export interface EncoderExample {
  /** (T) `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`. */
  readonly inputIds: Int32Array
  /** (T) 0 up to the first `[SEP]`, 1 after it. */
  readonly tokenTypeIds: Int32Array
}

export interface ElectraSegmentOptions {
  readonly vocabulary: ElectraVocabulary
  /** Tokens of an example, special ones included; at least 5. @default 128 */
  readonly maxLength?: number
}

// As in ELECTRA's own data preparation.
const singleSegmentRate = 0.1
const randomLengthRate = 0.05
const shortestRandomLength = 5
const crossingRate = 0.5

/**
 * Cuts a document into ELECTRA's pre-training examples. Lines are gathered until they have the wanted length, which is
 * `maxLength`, or in one of twenty examples anything from 5 up to it; nine of ten examples are then parted in two
 * segments about their middle, at the end of a line, and what does not fit is cut off.
 *
 * @returns the examples of a document, given as the tokens of its lines without special ones.
 * @throws {ConfigError} for a `maxLength` below 5.
 * @see Clark et al. 2020. https://arxiv.org/abs/2003.10555
 */
export function electraSegments({
  vocabulary,
  maxLength = 128,
}: ElectraSegmentOptions): (lines: readonly Int32Array[], random: Random) => EncoderExample[] {
  if (!Number.isSafeInteger(maxLength) || maxLength < shortestRandomLength) {
    throw new ConfigError(`electraSegments: expected maxLength >= ${shortestRandomLength}, got ${describe(maxLength)}`)
  }
  return (lines, random) => {
    const examples: EncoderExample[] = []
    let gathered: Int32Array[] = []
    let length = 0
    let target = targetLength(maxLength, random)
    const finish = () => {
      const { first, second } = parted(gathered, target, random)
      examples.push(assembled(vocabulary, first, second, maxLength))
      gathered = []
      length = 0
      target = targetLength(maxLength, random)
    }
    for (const line of lines) {
      if (line.length === 0) continue
      gathered.push(line)
      length += line.length
      if (length >= target) finish()
    }
    if (length > 0) finish()
    return examples
  }
}

function targetLength(maxLength: number, random: Random): number {
  if (random.uniform() >= randomLengthRate) return maxLength
  return shortestRandomLength + random.below(maxLength - shortestRandomLength + 1)
}

/** Parts lines in two segments; the line that crosses the middle goes to the first one half of the time. */
function parted(lines: readonly Int32Array[], target: number, random: Random): { first: number[]; second: number[] } {
  // Of three special tokens.
  const goal = random.uniform() < singleSegmentRate ? Infinity : Math.floor((target - 3) / 2)
  const first: number[] = []
  const second: number[] = []
  for (const line of lines) {
    const inFirst =
      first.length === 0 ||
      (second.length === 0 &&
        (first.length + line.length < goal || (first.length < goal && random.uniform() < crossingRate)))
    for (const token of line) (inFirst ? first : second).push(token)
  }
  return { first, second }
}

function assembled(
  { clsTokenId, sepTokenId }: ElectraVocabulary,
  first: readonly number[],
  second: readonly number[],
  maxLength: number,
): EncoderExample {
  const a = first.slice(0, maxLength - 2)
  const b = second.slice(0, Math.max(0, maxLength - a.length - 3))
  const ids = [clsTokenId, ...a, sepTokenId, ...(b.length > 0 ? [...b, sepTokenId] : [])]
  return {
    inputIds: Int32Array.from(ids),
    tokenTypeIds: new Int32Array(ids.length).fill(1, a.length + 2),
  }
}
