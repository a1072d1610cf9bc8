import { describe, expect, it } from 'vitest'
import { ConfigError, data } from '../../lib/index.ts'
import { Random } from '../../lib/random.ts'
import { expectRate } from './statistics.ts'

const [cls, sep, mask] = [101, 102, 103]
const vocabulary: data.ElectraVocabulary = { clsTokenId: cls, sepTokenId: sep, maskTokenId: mask }
const randomOf = (index: number) => new Random(17).at(index)

/** Lines whose tokens count up from 1000 through the document. */
function lines(...lengths: number[]): Int32Array[] {
  let next = 1000
  return lengths.map((length) => Int32Array.from({ length }, () => next++))
}

/** What lies between the special tokens. */
function segmentsOf({ inputIds }: data.EncoderExample): number[][] {
  const parts: number[][] = [[]]
  for (const id of inputIds.subarray(1)) {
    if (id === sep) parts.push([])
    else parts.at(-1)!.push(id)
  }
  return parts.slice(0, -1)
}

describe('electraSegments', () => {
  const maxLength = 64
  const segments = data.electraSegments({ vocabulary, maxLength })

  it('frames one or two segments, with types 0 and 1', () => {
    for (let i = 0; i < 100; i++) {
      for (const example of segments(lines(...Array(40).fill(9)), randomOf(i))) {
        const { inputIds, tokenTypeIds } = example
        const parts = segmentsOf(example)
        expect([1, 2]).toContain(parts.length)
        expect(inputIds[0]).toBe(cls)
        expect(inputIds.at(-1)).toBe(sep)
        expect(inputIds.length).toBeLessThanOrEqual(maxLength)
        const types = parts.flatMap((part, type) => [...part, sep].map(() => type))
        expect([...tokenTypeIds]).toEqual([0, ...types])
      }
    }
  })

  it('has lines whole and in order, until the cut', () => {
    for (let i = 0; i < 100; i++) {
      const examples = segments(lines(...Array(30).fill(7)), randomOf(i))
      let next = 1000
      for (const example of examples) {
        const parts = segmentsOf(example)
        const tokens = parts.flat()
        const start = tokens[0] as number
        // What was cut off the example before belongs to its last line.
        expect(start - next).toBeGreaterThanOrEqual(0)
        expect(start % 7).toBe(1000 % 7)
        expect(tokens).toEqual(tokens.map((_, k) => start + k))
        if (parts.length === 2) expect((parts[0] as number[]).length % 7).toBe(0)
        next = start + tokens.length
      }
    }
  })

  it('parts nine in ten examples, and takes the line that crosses the middle half of the time', () => {
    const n = 4000
    const counts = { single: 0, before: 0, across: 0, full: 0 }
    for (let i = 0; i < n; i++) {
      // Six lines of 11 make the 64 tokens, of which (64 − 3) / 2 is 30: the third line crosses the middle.
      const [example] = segments(lines(11, 11, 11, 11, 11, 11), randomOf(i)) as [data.EncoderExample]
      const parts = segmentsOf(example)
      // Examples of random length are told by the others that follow.
      if (segments(lines(11, 11, 11, 11, 11, 11), randomOf(i)).length > 1) continue
      counts.full++
      if (parts.length === 1) counts.single++
      else if (parts[0]?.length === 22) counts.before++
      else if (parts[0]?.length === 33) counts.across++
    }
    // Random lengths of 5 to 55 take no more than five lines: 51 of the 60 from 5 to 64.
    expectRate(counts.full, n, 1 - 0.05 * (51 / 60))
    expect(counts.single + counts.before + counts.across).toBe(counts.full)
    expectRate(counts.single, counts.full, 0.1)
    expectRate(counts.before, counts.before + counts.across, 0.5)
  })

  it('leaves nothing of a document out but what is cut off, and skips empty lines', () => {
    const short = segments([new Int32Array(0), ...lines(3), new Int32Array(0)], randomOf(0))
    expect(short.map(({ inputIds }) => [...inputIds])).toEqual([[cls, 1000, 1001, 1002, sep]])
    expect(segments([], randomOf(0))).toEqual([])
    expect(segments([new Int32Array(0)], randomOf(0))).toEqual([])
  })

  it('cuts a line that is too long by itself', () => {
    const [example, ...others] = segments(lines(500), randomOf(0)) as [data.EncoderExample]
    expect(others).toEqual([])
    expect(example.inputIds.length).toBe(maxLength)
    expect(segmentsOf(example)).toEqual([Array.from({ length: maxLength - 2 }, (_, i) => 1000 + i)])
  })

  it('refuses lengths below 5', () => {
    for (const bad of [4, 7.5, Number.NaN]) {
      expect(() => data.electraSegments({ vocabulary, maxLength: bad })).toThrow(ConfigError)
    }
  })
})

describe('electraMasking', () => {
  const length = 128
  const inputIds = Int32Array.from({ length }, (_, i) => (i === 0 ? cls : i === 60 || i === 127 ? sep : 1000 + i))
  const example = { inputIds, tokenTypeIds: new Int32Array(length).fill(1, 61) }
  const n = 500

  it.each([
    [0.15, 128, 19],
    [0.15, 512, 79],
    [0.25, 512, 130],
  ])('has slots at rate %d of %d tokens for %d', (maskRate, maxLength, slots) => {
    expect(data.maxSelected(maskRate, maxLength)).toBe(slots)
  })

  it.each([
    [128, 19],
    [100, 15],
    // 30 · 0.15 is 4.5, which rounds to 4.
    [30, 4],
    [3, 1],
    [200, 19],
  ])('draws for %d tokens %d positions', (tokens, count) => {
    const ids = Int32Array.from({ length: tokens }, (_, i) => (i === 0 ? cls : i === tokens - 1 ? sep : 1000 + i))
    const masking = data.electraMasking({ vocabulary })
    const made = masking({ inputIds: ids, tokenTypeIds: new Int32Array(tokens) }, randomOf(0))
    expect(made.maskedPositions.length).toBe(count)
  })

  it('labels what was drawn with its original id, and masks 85 % of it', () => {
    let masked = 0
    const masking = data.electraMasking({ vocabulary, withReplacement: false })
    for (let i = 0; i < n; i++) {
      const {
        maskedInputIds,
        labels,
        maskedPositions,
        inputIds: original,
        tokenTypeIds,
      } = masking(example, randomOf(i))
      expect([original, tokenTypeIds]).toEqual([inputIds, example.tokenTypeIds])
      const drawn = new Set(maskedPositions)
      expect(drawn.size).toBe(19)
      labels.forEach((label, at) => {
        if (label !== (drawn.has(at) ? inputIds[at] : -100)) throw new Error(`label ${label} at ${at}`)
        const shown = maskedInputIds[at]
        if (shown !== inputIds[at] && !(drawn.has(at) && shown === mask)) throw new Error(`id ${shown} at ${at}`)
      })
      masked += maskedInputIds.filter((id) => id === mask).length
    }
    expectRate(masked, 19 * n, 0.85)
  })

  it.each([true, false])('draws all but special tokens alike, with replacement: %s', (withReplacement) => {
    const masking = data.electraMasking({ vocabulary, withReplacement })
    const counts = new Int32Array(length)
    for (let i = 0; i < 4 * n; i++) for (const at of masking(example, randomOf(i)).maskedPositions) counts[at]! += 1
    expect([counts[0], counts[60], counts[127]]).toEqual([0, 0, 0])
    const candidates = counts.filter((_, at) => ![0, 60, 127].includes(at))
    for (const count of candidates)
      expectRate(count, 4 * n * (withReplacement ? 19 : 1), withReplacement ? 1 / 125 : 19 / 125)
  })

  it('with replacement, selects about as many different ones as chance says, and masks by each draw', () => {
    const masking = data.electraMasking({ vocabulary })
    let different = 0
    let masked = 0
    for (let i = 0; i < n; i++) {
      const { labels, maskedInputIds } = masking(example, randomOf(i))
      different += labels.filter((label) => label !== -100).length
      masked += maskedInputIds.filter((id) => id === mask).length
    }
    // Positions are drawn at all with 1 − (1 − 1/125)^19, masked with 1 − (1 − 0.85/125)^19; that some were makes others
    // less likely, so the spread is below that of independent ones.
    expectRate(different, 125 * n, 1 - (1 - 1 / 125) ** 19)
    expectRate(masked, 125 * n, 1 - (1 - 0.85 / 125) ** 19)
  })

  it('draws what there is, and nothing where all is special', () => {
    const masking = data.electraMasking({ vocabulary, maskRate: 0.9, withReplacement: false })
    const few = Int32Array.of(cls, 7, 8, sep)
    expect(masking({ inputIds: few, tokenTypeIds: new Int32Array(4) }, randomOf(0)).maskedPositions.sort()).toEqual(
      Int32Array.of(1, 2),
    )
    for (const withReplacement of [true, false]) {
      const none = data.electraMasking({ vocabulary, withReplacement })
      const made = none({ inputIds: Int32Array.of(cls, sep), tokenTypeIds: new Int32Array(2) }, randomOf(0))
      expect([...made.labels]).toEqual([-100, -100])
      expect(made.maskedPositions.length).toBe(0)
    }
  })

  it('is a function of example and stream alone', () => {
    const masking = data.electraMasking({ vocabulary })
    const first = masking(example, randomOf(1))
    masking(example, randomOf(2))
    expect(masking(example, randomOf(1))).toEqual(first)
    expect(masking(example, randomOf(2))).not.toEqual(first)
  })

  it('refuses rates and lengths out of range', () => {
    for (const options of [
      { maskRate: 0 },
      { maskRate: 1 },
      { replaceRate: -0.1 },
      { replaceRate: 2 },
      { maxLength: 0 },
    ]) {
      expect(() => data.electraMasking({ vocabulary, ...options })).toThrow(ConfigError)
    }
  })
})
