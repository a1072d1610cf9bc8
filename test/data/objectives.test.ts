import { describe, expect, it } from 'vitest'
import { composition } from '../../lib/data/objectives/noise-mask.ts'
import { ConfigError, DataError, data } from '../../lib/index.ts'
import { Random } from '../../lib/random.ts'
import { expectMean, expectRate } from './statistics.ts'

const eos = 1
const sentinel = (number: number) => 32099 - number
const vocabulary: data.ObjectiveVocabulary = {
  sentinelIds: Int32Array.from({ length: 100 }, (_, i) => sentinel(i)),
  eosTokenId: eos,
  vocabSize: 32100,
}
const isSentinel = (id: number) => id >= 32000

/** Tokens that tell where they stood. */
const text = (length: number) => Int32Array.from({ length }, (_, i) => 100 + i)
const randomOf = (index: number) => new Random(11).at(index)

/** The text again, from inputs whose gaps the labels fill. */
function filled(inputs: Int32Array, labels: Int32Array): number[] {
  const spans = new Map<number, number[]>()
  let span: number[] = []
  for (const id of labels.subarray(0, -1)) {
    if (isSentinel(id)) {
      span = []
      spans.set(id, span)
    } else span.push(id)
  }
  return [...inputs.subarray(0, -1)].flatMap((id) => (isSentinel(id) ? (spans.get(id) ?? []) : [id]))
}

describe('roundHalfEven', () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [4.5, 4],
    [4.500001, 5],
    [4.4999, 4],
    [0.15 * 30, 4],
    [7, 7],
  ])('%d is %d', (x, rounded) => expect(data.roundHalfEven(x)).toBe(rounded))
})

describe('spanCorruptionLengths', () => {
  it.each([
    [512, {}, 568, 114],
    [1024, {}, 1137, 229],
    [256, {}, 284, 58],
    [128, {}, 141, 29],
    [512, { meanNoiseSpanLength: 2 }, 552, 126],
    [512, { meanNoiseSpanLength: 5 }, 581, 105],
    [512, { meanNoiseSpanLength: 10 }, 591, 99],
    [512, { noiseDensity: 0.5 }, 766, 512],
    [512, { meanNoiseSpanLength: 64 }, 600, 92],
  ])('%d tokens with %j: %d and %d', (inputLength, options, segmentLength, targetLength) => {
    expect(data.spanCorruptionLengths(inputLength, options)).toEqual({ segmentLength, targetLength })
  })

  it.each([
    [512, {}],
    [128, { meanNoiseSpanLength: 2 }],
    [512, { noiseDensity: 0.5 }],
    [96, { meanNoiseSpanLength: 10 }],
  ])('are what span corruption makes of such a segment: %d, %j', (inputLength, options) => {
    const { segmentLength, targetLength } = data.spanCorruptionLengths(inputLength, options)
    const enough = { ...vocabulary, sentinelIds: Int32Array.from({ length: 200 }, (_, i) => 33000 - i) }
    const { inputIds, labels } = data.spanCorruption({ vocabulary: enough, ...options })(
      text(segmentLength),
      randomOf(0),
    )
    expect([inputIds.length, labels.length]).toEqual([inputLength, targetLength])
  })

  it('of copying fill the inputs', () => {
    const { segmentLength, targetLength } = data.copyingLengths(512)
    const made = data.copying({ vocabulary })(text(segmentLength), randomOf(0))
    expect(made.inputIds.length).toBeLessThanOrEqual(512)
    expect(made.labels.length).toBe(targetLength)
    const longer = data.copying({ vocabulary })(text(segmentLength + 1), randomOf(0))
    expect(longer.inputIds.length).toBeGreaterThan(512)
  })

  it('refuses what no segment can be of', () => {
    for (const bad of [0, 1, 2.5, Number.NaN]) expect(() => data.spanCorruptionLengths(bad)).toThrow(ConfigError)
    expect(() => data.copyingLengths(4)).toThrow(ConfigError)
    expect(() => data.spanCorruptionLengths(512, { noiseDensity: 1 })).toThrow(/noiseDensity in \(0, 1\), got number 1/)
    expect(() => data.spanCorruptionLengths(512, { noiseDensity: 0 })).toThrow(ConfigError)
    expect(() => data.spanCorruptionLengths(512, { meanNoiseSpanLength: 0.5 })).toThrow(ConfigError)
  })
})

describe('composition', () => {
  it('gives every way to split a number alike', () => {
    const counts = new Map<string, number>()
    const n = 20_000
    for (let i = 0; i < n; i++) {
      const way = composition(6, 3, randomOf(i)).join()
      counts.set(way, (counts.get(way) ?? 0) + 1)
    }
    // (6 − 1) choose (3 − 1).
    expect(counts.size).toBe(10)
    for (const [way, count] of counts) {
      expect(way.split(',').map(Number)).toSatisfy((parts: number[]) => parts.every((part) => part > 0))
      expectRate(count, n, 0.1)
    }
  })
})

describe('spanMask', () => {
  const maskOf = data.spanMask()

  it.each([
    // length, noise, spans: 30 · 0.15 is 4.5, which rounds to 4; 10 · 0.15 is 1.5, which rounds to 2.
    [2, 1, 1],
    [3, 1, 1],
    [10, 2, 1],
    [30, 4, 1],
    [100, 15, 5],
    [568, 85, 28],
  ])('of %d tokens has %d noise tokens in %d spans, kept tokens first, noise last', (length, noise, spans) => {
    for (let i = 0; i < 50; i++) {
      const mask = maskOf(length, randomOf(i))
      expect(mask.length).toBe(length)
      expect(mask.reduce((sum, bit) => sum + bit, 0)).toBe(noise)
      expect(mask.filter((bit, at) => bit === 1 && mask[at - 1] !== 1).length).toBe(spans)
      expect([mask[0], mask.at(-1)]).toEqual([0, 1])
    }
  })

  it('keeps a single token, and takes no token of none', () => {
    expect([...maskOf(1, randomOf(0))]).toEqual([0])
    expect([...maskOf(0, randomOf(0))]).toEqual([])
  })

  it('never has more spans than kept tokens to part them', () => {
    const mask = data.spanMask({ noiseDensity: 0.8, meanNoiseSpanLength: 1 })(20, randomOf(0))
    expect(mask.filter((bit, at) => bit === 1 && mask[at - 1] !== 1).length).toBe(4)
  })

  it('rotated, has noise at every place alike', () => {
    const rolled = data.spanMask({ randomRoll: true })
    const counts = new Int32Array(40)
    const n = 8000
    for (let i = 0; i < n; i++)
      rolled(40, randomOf(i)).forEach((bit, at) => {
        counts[at]! += bit
      })
    for (const count of counts) expectRate(count, n, 6 / 40)
  })
})

describe('other masks', () => {
  it('iid: each token with the density', () => {
    const n = 400
    const length = 250
    let noise = 0
    let pairs = 0
    for (let i = 0; i < n; i++) {
      const mask = data.iidMask(0.15)(length, randomOf(i))
      for (let at = 0; at < length; at += 2) {
        noise += (mask[at] as number) + (mask[at + 1] as number)
        pairs += (mask[at] as number) * (mask[at + 1] as number)
      }
    }
    expectRate(noise, n * length, 0.15)
    expectRate(pairs, (n * length) / 2, 0.15 ** 2)
  })

  it('regular spans: one length and one distance, each length from 1 to 5 alike', () => {
    const lengths = new Int32Array(6)
    const n = 5000
    for (let i = 0; i < n; i++) {
      const mask = data.regularSpansMask(0.15)(200, randomOf(i))
      const starts = [...mask.keys()].filter((at) => at > 0 && mask[at] === 1 && mask[at - 1] === 0)
      const first = starts[0] as number
      const spanLength = mask.indexOf(0, first) - first
      const distance = (starts[1] as number) - first
      expect(distance).toBe([0, 7, 13, 20, 27, 33][spanLength])
      expect(starts).toEqual(starts.map((_, k) => first + k * distance))
      lengths[spanLength]! += 1
    }
    for (const count of lengths.subarray(1)) expectRate(count, n, 0.2)
  })

  it('random prefix: every length in its range alike', () => {
    const counts = new Map<number, number>()
    const n = 9000
    for (let i = 0; i < n; i++) {
      const prefix = data.randomPrefixMask(0.25)(20, randomOf(i)).indexOf(1)
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
    }
    // round((1 − 2 · 0.25) · 19) is round(9.5), 10: prefixes of 10 to 19 tokens.
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
    for (const count of counts.values()) expectRate(count, n, 0.1)
    expect([...data.randomPrefixMask()(1, randomOf(0))]).toEqual([0])
    expect([...data.randomPrefixMask()(2, randomOf(0))]).toEqual([0, 1])
    expect(() => data.randomPrefixMask(0.6)).toThrow(ConfigError)
  })
})

describe('spanCorruption', () => {
  const objective = data.spanCorruption({ vocabulary })

  it('splits the text: sentinels in order, no closing one, nothing lost', () => {
    for (const length of [2, 3, 30, 141, 568]) {
      for (let i = 0; i < 20; i++) {
        const { inputIds, labels } = objective(text(length), randomOf(i))
        const marks = [...inputIds].filter(isSentinel)
        expect(marks).toEqual(marks.map((_, k) => sentinel(k)))
        expect([...labels].filter(isSentinel)).toEqual(marks)
        expect(labels[0]).toBe(sentinel(0))
        expect([inputIds.at(-1), labels.at(-1)]).toEqual([eos, eos])
        expect(isSentinel(labels.at(-2) as number)).toBe(false)
        expect(filled(inputIds, labels)).toEqual([...text(length)])
      }
    }
  })

  it('is a function of tokens and stream alone', () => {
    const tokens = text(200)
    const first = objective(tokens, randomOf(3))
    objective(tokens, randomOf(4))
    expect(objective(tokens, randomOf(3))).toEqual(first)
    expect(objective(tokens, randomOf(4))).not.toEqual(first)
    expect(tokens).toEqual(text(200))
  })

  it('hides a fixed number of tokens, never the first, always the last', () => {
    const n = 1000
    const counts = new Int32Array(100)
    for (let i = 0; i < n; i++) {
      for (const id of objective(text(100), randomOf(i)).labels) if (id >= 100 && id < 200) counts[id - 100]! += 1
    }
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(15 * n)
    expect(counts[0]).toBe(0)
    expect(counts[99]).toBe(n)
  })

  it('trims to limits and ends all the same', () => {
    const limited = data.spanCorruption({ vocabulary, maxInputLength: 50, maxTargetLength: 10 })
    const whole = objective(text(141), randomOf(0))
    const { inputIds, labels } = limited(text(141), randomOf(0))
    expect([...inputIds]).toEqual([...whole.inputIds.subarray(0, 49), eos])
    expect([...labels]).toEqual([...whole.labels.subarray(0, 9), eos])
  })

  it('refuses texts with more spans than there are sentinels, and limits below 1', () => {
    const few = { ...vocabulary, sentinelIds: vocabulary.sentinelIds.subarray(0, 3) }
    expect(() => data.spanCorruption({ vocabulary: few })(text(100), randomOf(0))).toThrow(DataError)
    expect(() => data.spanCorruption({ vocabulary: few })(text(100), randomOf(0))).toThrow(/more spans than its 3/)
    expect(() => data.spanCorruption({ vocabulary, maxInputLength: 0 })).toThrow(ConfigError)
    expect(() => data.spanCorruption({ vocabulary, noiseDensity: 1.5 })).toThrow(ConfigError)
  })
})

describe('objectives', () => {
  const tokens = text(400)
  const n = 100
  const made = (objective: data.Objective) => Array.from({ length: n }, (_, i) => objective(tokens, randomOf(i)))

  it('iid denoising: runs of noise become sentinels, and fill the gaps again', () => {
    let hidden = 0
    for (const { inputIds, labels } of made(data.iidDenoising({ vocabulary }))) {
      hidden += labels.filter((id) => id >= 100 && id < 500).length
      // Where the text starts with noise the targets do too, and the sentinels' numbers differ by one.
      if (inputIds[0] === 100) expect(filled(inputIds, labels)).toEqual([...tokens])
    }
    expectRate(hidden, n * 400, 0.15)
  })

  it('regular spans: as iid denoising, in regular spans', () => {
    for (const { inputIds, labels } of made(data.regularSpans({ vocabulary }))) {
      if (inputIds[0] === 100) expect(filled(inputIds, labels)).toEqual([...tokens])
    }
  })

  it('BERT-style: nine in ten noise tokens become the first sentinel, the others random', () => {
    let sentinels = 0
    let random = 0
    for (const { inputIds, labels } of made(data.bertStyle({ vocabulary }))) {
      expect([...labels]).toEqual([...tokens, eos])
      inputIds.subarray(0, -1).forEach((id, i) => {
        sentinels += Number(id === sentinel(0))
        random += Number(id !== sentinel(0) && id !== tokens[i])
      })
    }
    // A random token is the very token, or the sentinel, once in 32,097 times: far below what is told apart here.
    expectRate(sentinels, n * 400, 0.135)
    expectRate(random, n * 400, 0.015)
  })

  it('MASS-style: all noise tokens become the first sentinel', () => {
    let sentinels = 0
    for (const { inputIds, labels } of made(data.massStyle({ vocabulary }))) {
      expect([...labels]).toEqual([...tokens, eos])
      expect(inputIds.every((id, i) => id === sentinel(0) || id === (tokens[i] ?? eos))).toBe(true)
      sentinels += inputIds.filter((id) => id === sentinel(0)).length
    }
    expectRate(sentinels, n * 400, 0.15)
  })

  it('drop: the noise is left out, and is the target', () => {
    let dropped = 0
    for (const { inputIds, labels } of made(data.dropTokens({ vocabulary }))) {
      const all = [...inputIds.subarray(0, -1), ...labels.subarray(0, -1)]
      expect(all.sort((a, b) => a - b)).toEqual([...tokens])
      dropped += labels.length - 1
    }
    expectRate(dropped, n * 400, 0.15)
  })

  it('prefix LM: the rest follows the prefix', () => {
    let prefixes = 0
    for (const { inputIds, labels } of made(data.prefixLanguageModel({ vocabulary }))) {
      expect([...inputIds.subarray(0, -1), ...labels.subarray(0, -1)]).toEqual([...tokens])
      prefixes += inputIds.length - 1
    }
    // Uniform from 1 to 399.
    expectMean(prefixes, n, 200, Math.sqrt((399 ** 2 - 1) / 12))
  })

  it('deshuffling: the same tokens in another order', () => {
    for (const { inputIds, labels } of made(data.deshuffling({ vocabulary }))) {
      expect([...labels]).toEqual([...tokens, eos])
      expect([...inputIds]).not.toEqual([...labels])
      expect(inputIds.at(-1)).toBe(eos)
      expect(inputIds.subarray(0, -1).sort()).toEqual(tokens)
    }
  })

  it('LM: nothing is read', () => {
    const { inputIds, labels } = data.languageModel({ vocabulary })(tokens, randomOf(0))
    expect([...inputIds]).toEqual([eos])
    expect([...labels]).toEqual([...tokens, eos])
  })

  it('noise from the same text, and from the vocabulary', () => {
    const replaced = (inputs: data.NoiseFunction) =>
      data.denoise({ vocabulary, mask: data.allNoise, inputs, targets: data.keepNoise })(tokens, randomOf(0)).inputIds
    expect(
      replaced(data.noiseToTokensOfText)
        .subarray(0, -1)
        .every((id) => tokens.includes(id)),
    ).toBe(true)
    const random = replaced(data.noiseToRandomTokens).subarray(0, -1)
    expect(random.every((id) => id >= 3 && id < 32100)).toBe(true)
    expect(new Set(random).size).toBeGreaterThan(350)
  })

  it('one sentinel for every span', () => {
    const mask = () => Uint8Array.of(0, 1, 1, 0, 1)
    const parts = { vocabulary, mask, inputs: data.noiseSpansToOneSentinel, targets: data.dropNoise }
    const { inputIds } = data.denoise(parts)(text(5), randomOf(0))
    expect([...inputIds]).toEqual([100, sentinel(0), 103, sentinel(0), eos])
  })
})

describe('copying', () => {
  const objective = data.copying({ vocabulary })

  it('marks spans on both sides and asks for them, with the text as it is', () => {
    for (let i = 0; i < 50; i++) {
      const { inputIds, labels } = objective(text(141), randomOf(i))
      expect([...inputIds].filter((id) => !isSentinel(id))).toEqual([...text(141), eos])
      const expected: number[] = []
      for (let k = 0; inputIds.includes(sentinel(k)); k++) {
        const [start, end] = [inputIds.indexOf(sentinel(k)), inputIds.lastIndexOf(sentinel(k))]
        expect(end - start).toBeGreaterThan(1)
        expected.push(...inputIds.subarray(start, end))
      }
      expect([...labels]).toEqual([...expected, eos])
      // 141 · 0.15 is 21.15: 21 tokens in 7 spans, two marks each.
      expect([inputIds.length, labels.length]).toEqual([141 + 14 + 1, 21 + 7 + 1])
    }
  })

  it('asks for what span corruption asks for, from the same draws', () => {
    const corrupted = data.spanCorruption({ vocabulary })(text(141), randomOf(1))
    expect(objective(text(141), randomOf(1)).labels).toEqual(corrupted.labels)
  })

  it('names a span at the very start too', () => {
    const rolled = data.copying({ vocabulary, randomRoll: true })
    for (let i = 0; i < 50; i++) {
      const { inputIds, labels } = rolled(text(10), randomOf(i))
      expect([inputIds.includes(sentinel(0)), labels[0]]).toEqual([true, sentinel(0)])
    }
  })
})

describe('UL2', () => {
  const modeTokens = { R: [10], S: [11], X: [12] }
  const tokens = text(512)

  it('mixes its modes by their weights, each after its token', () => {
    const many = { ...vocabulary, sentinelIds: Int32Array.from({ length: 200 }, (_, i) => 32999 - i) }
    const objective = data.ul2({ vocabulary: many, modeTokens })
    const counts = new Int32Array(3)
    const n = 2000
    for (let i = 0; i < n; i++) {
      const { inputIds, labels } = objective(tokens, randomOf(i))
      const mode = (inputIds[0] as number) - 10
      counts[mode]! += 1
      const body = inputIds.subarray(1)
      if (mode === 1) expect([...body.subarray(0, -1), ...labels.subarray(0, -1)]).toEqual([...tokens])
      else expect(filled(body, labels)).toEqual([...tokens])
      if (mode === 1) expect(labels.length).toBe(384 + 1)
    }
    // The published weights are rounded: they add up to 1 all the same.
    expectRate(counts[0] as number, n, 0.33)
    expectRate(counts[1] as number, n, 0.34)
    expectRate(counts[2] as number, n, 0.33)
  })

  it('has no mode tokens where none are given, and counts them in the limit', () => {
    const plain = data.ul2({ vocabulary, maxInputLength: 20 })(text(30), randomOf(0))
    const moded = data.ul2({ vocabulary, modeTokens, maxInputLength: 20 })(text(30), randomOf(0))
    expect(plain.inputIds.length).toBeLessThanOrEqual(20)
    expect(moded.inputIds.length).toBeLessThanOrEqual(20)
    expect(plain.inputIds[0]).toBe(100)
    expect(() => data.ul2({ vocabulary, modeTokens, maxInputLength: 1 })).toThrow(ConfigError)
  })

  it('refuses weights that are no weights', () => {
    const objective = data.languageModel({ vocabulary })
    expect(() => data.mixObjectives([])).toThrow(/got none/)
    expect(() => data.mixObjectives([{ objective, weight: 0 }])).toThrow(ConfigError)
    expect(() => data.mixObjectives([{ objective, weight: -1 }])).toThrow(ConfigError)
  })
})
