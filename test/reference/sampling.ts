// Choosing tokens, row by row, by sorting everything. Ids are numbers in NdArrays.
import { fromFn, type NdArray, type Round } from './array.ts'
import { philoxWords, uniformOf } from './token-sampler.ts'

function rowsOf(logits: NdArray): number[][] {
  const v = logits.shape[1]!
  return Array.from({ length: logits.shape[0]! }, (_, row) => Array.from(logits.data.subarray(row * v, (row + 1) * v)))
}

function stack(rows: readonly (readonly number[])[], columns: number): NdArray {
  return fromFn([rows.length, columns], (i) => rows[Math.floor(i / columns)]![i % columns]!)
}

/** Ids by descending value, lower ids first among equals. */
function ranked(values: readonly number[]): number[] {
  return values.map((_, id) => id).sort((a, b) => values[b]! - values[a]! || a - b)
}

export function topK(logits: NdArray, k: number): [values: NdArray, ids: NdArray] {
  const rows = rowsOf(logits)
  const ids = rows.map((row) => ranked(row).slice(0, k))
  const values = ids.map((list, i) => list.map((id) => rows[i]![id]!))
  return [stack(values, k), stack(ids, k)]
}

export function beamCandidates(logits: NdArray, beamScores: NdArray, k: number, r: Round): NdArray[] {
  const [sentences, beams] = beamScores.shape as [number, number]
  const v = logits.shape[1]!
  const flat = fromFn([sentences, beams * v], (i) => r(logits.data[i]! + beamScores.data[Math.floor(i / v)]!))
  const [scores, ids] = topK(flat, k)
  return [scores, fromFn(ids.shape, (i) => Math.floor(ids.data[i]! / v)), fromFn(ids.shape, (i) => ids.data[i]! % v)]
}

export function runningBeams(
  { scores, parents, tokens, ends }: { scores: NdArray; parents: NdArray; tokens: NdArray; ends: NdArray },
  beams: number,
  demotion: number,
  r: Round,
): NdArray[] {
  const [sentences, k] = scores.shape as [number, number]
  const scored = fromFn([sentences, k], (i) =>
    ends.data.includes(tokens.data[i]!) ? r(scores.data[i]! + demotion) : scores.data[i]!,
  )
  const [best, ids] = topK(scored, beams)
  const from = (i: number) => Math.floor(i / beams) * k + ids.data[i]!
  return [
    best,
    fromFn([sentences * beams], (i) => Math.floor(i / beams) * beams + parents.data[from(i)]!),
    fromFn([sentences * beams], (i) => tokens.data[from(i)]!),
  ]
}

export function softmax(row: readonly number[]): number[] {
  const max = Math.max(...row)
  const weights = row.map((x) => Math.exp(x - max))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((w) => w / sum)
}

function entropyOf(p: readonly number[]): number {
  return -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0)
}

/** The first id whose cumulative probability is above row i's uniform number. */
export function sampleCategorical(
  logits: NdArray,
  { seed, site, step }: { seed: number; site: number; step: number },
  streams?: NdArray,
): NdArray {
  const ids = rowsOf(logits).map((row, i) => {
    const u = uniformOf(streams?.data[i] ?? i, { seed, site, step })
    let below = 0
    return softmax(row).findIndex((p) => {
      below += p
      return u < below
    })
  })
  return fromFn([ids.length], (i) => ids[i]!)
}

/** Which ids of a row stay. */
const kept: Record<string, (row: readonly number[], value: number, min: number) => readonly number[]> = {
  topK(row, value, min) {
    const threshold = row[ranked(row)[Math.min(Math.max(value, min), row.length) - 1]!]!
    return ids(row, (x) => x >= threshold)
  },
  topP(row, value, min) {
    const p = softmax(row)
    // Ascending, stably; what is left over from the end is kept.
    const ascending = row.map((_, id) => id).sort((a, b) => row[a]! - row[b]! || a - b)
    let mass = 0
    return ascending.filter((id, i) => {
      mass += p[id]!
      return mass > 1 - value || i >= row.length - min
    })
  },
  minP(row, value, min) {
    const p = softmax(row)
    return atLeast(row, (id) => p[id]! >= value * Math.max(...p), min)
  },
  epsilon(row, value, min) {
    const p = softmax(row)
    return atLeast(row, (id) => p[id]! >= value, min)
  },
  eta(row, value, min) {
    const p = softmax(row)
    return atLeast(row, (id) => p[id]! >= Math.min(value, Math.sqrt(value) * Math.exp(-entropyOf(p))), min)
  },
  typical(row, value, min) {
    const p = softmax(row)
    const entropy = entropyOf(p)
    // From the logits: the logarithm of a probability that underflowed would be infinite.
    const max = Math.max(...row)
    const lse = max + Math.log(row.reduce((sum, x) => sum + Math.exp(x - max), 0))
    const surprise = row.map((x) => Math.abs(lse - x - entropy))
    const order = row.map((_, id) => id).sort((a, b) => surprise[a]! - surprise[b]! || a - b)
    let mass = 0
    const last = order.filter((id) => {
      mass += p[id]!
      return mass < value
    }).length
    const threshold = Math.max(surprise[order[Math.min(last, row.length - 1)]!]!, surprise[order[min - 1]!]!)
    // Equal logits are equally typical: no rounding may tell them apart.
    return ids(row, (_, id) => surprise[id]! <= threshold * (1 + 1e-12))
  },
  topH(row, value, min) {
    const order = ranked(row).slice(0, 100)
    const p = softmax(order.map((id) => row[id]!))
    const budget = value * entropyOf(p)
    return order.filter((_, i) => i < min || entropyOf(p.slice(0, i + 1)) <= budget)
  },
}

function ids(row: readonly number[], keep: (x: number, id: number) => boolean): number[] {
  return row.flatMap((x, id) => (keep(x, id) ? [id] : []))
}

function atLeast(row: readonly number[], keep: (id: number) => boolean, min: number): number[] {
  const least = row[ranked(row)[min - 1]!]!
  return ids(row, (x, id) => keep(id) || x >= least)
}

export function warpLogits(logits: NdArray, rule: string, value: number, min: number, r: Round): NdArray {
  const rows = rowsOf(logits).map((row) => {
    if (rule === 'temperature') return row.map((x) => r(x / r(value)))
    const staying = new Set(kept[rule]!(row, value, min))
    return row.map((x, id) => (staying.has(id) ? x : -Infinity))
  })
  return stack(rows, logits.shape[1]!)
}

export function penalizeRepetition(logits: NdArray, tokens: readonly number[][], penalty: number, r: Round): NdArray {
  const rows = rowsOf(logits).map((row, i) =>
    row.map((x, id) => (!tokens[i]!.includes(id) ? x : x < 0 ? r(x * r(penalty)) : r(x / r(penalty)))),
  )
  return stack(rows, logits.shape[1]!)
}

export function banRepeatedNgrams(
  logits: NdArray,
  tokens: readonly number[][],
  sources: readonly number[][],
  n: number,
): NdArray {
  const rows = rowsOf(logits).map((row, i) => {
    const text = (list: readonly number[]) => list.join()
    const seen = sources[i]!.slice(0, Math.max(sources[i]!.length - n + 1, 0)).map((_, at) =>
      text(sources[i]!.slice(at, at + n)),
    )
    const prefix = tokens[i]!.slice(tokens[i]!.length - n + 1)
    return row.map((x, id) => (prefix.length === n - 1 && seen.includes(text([...prefix, id])) ? -Infinity : x))
  })
  return stack(rows, logits.shape[1]!)
}

/** Scores of listed (row, token) pairs changed one after the other. */
export function changeTokens(
  logits: NdArray,
  pairs: readonly (readonly [row: number, token: number])[],
  change: (score: number, index: number) => number,
): NdArray {
  const result = fromFn(logits.shape, (i) => logits.data[i]!)
  pairs.forEach(([row, token], i) => {
    const at = row * logits.shape[1]! + token
    result.data[at] = change(result.data[at]!, i)
  })
  return result
}

export function allowTokens(logits: NdArray, rows: NdArray, tokens: NdArray, group: number): NdArray {
  const v = logits.shape[1]!
  const allowed = new Set(rows.data.map((row, i) => row * v + tokens.data[i]!))
  const possible = new Set(
    [...allowed].filter((at) => logits.data[at] !== -Infinity).map((at) => Math.floor(at / v / group)),
  )
  return fromFn(logits.shape, (at) => {
    if (!allowed.has(at)) return -Infinity
    return possible.has(Math.floor(at / v / group)) ? logits.data[at]! : 0
  })
}

/** Gumbel top-k: the order of draws without replacement. The noise of flat index i is word i of the stream, 23 bits of it. */
export function sampleCandidates(
  logits: NdArray,
  beamScores: NdArray,
  k: number,
  streams: readonly number[],
  { seed, site, step }: { seed: number; site: number; step: number },
  r: Round,
): NdArray[] {
  const [sentences, beams] = beamScores.shape as [number, number]
  const width = beams * logits.shape[1]!
  const sums = fromFn([sentences, width], (i) =>
    r(logits.data[i]! + beamScores.data[Math.floor(i / logits.shape[1]!)]!),
  )
  const keys = fromFn([sentences, width], (i) => {
    const index = streams[Math.floor(i / width)]! * width + (i % width)
    const words = philoxWords(BigInt(seed), [BigInt(Math.floor(index / 4)), 0n, BigInt(site), BigInt(step)])
    const u = (Number(words[index % 4]! >> 9n) + 0.5) / 2 ** 23
    return sums.data[i]! - Math.log(-Math.log(u))
  })
  const [, ids] = topK(keys, k)
  const v = logits.shape[1]!
  return [
    fromFn(ids.shape, (i) => sums.data[Math.floor(i / k) * width + ids.data[i]!]!),
    fromFn(ids.shape, (i) => Math.floor(ids.data[i]! / v)),
    fromFn(ids.shape, (i) => ids.data[i]! % v),
  ]
}
