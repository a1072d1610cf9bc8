// Both model families in float64 over padded batches, with masks, as their papers describe them: nothing is packed, every
// position of the rectangle is computed, and what is masked is left out of the softmax alone.
import { functions } from './activation.ts'
import { exact } from './array.ts'
import { bucketOf } from './attention.ts'

/** (rows, columns), row-major. */
interface Matrix {
  readonly data: Float64Array
  readonly columns: number
}

export type Parameters = ReadonlyMap<string, { readonly data: Float64Array; readonly shape: readonly number[] }>

/** A batch of ids with its mask, (B, T) each. */
export interface PaddedBatch {
  readonly ids: readonly (readonly number[])[]
  readonly mask: readonly (readonly number[])[]
}

function lookup(p: Parameters, name: string): { data: Float64Array; shape: readonly number[] } {
  const found = p.get(name)
  if (!found) throw new Error(`no parameter ${name}`)
  return found
}

const rowsOf = ({ data, columns }: Matrix) => data.length / columns

function linear(p: Parameters, name: string, x: Matrix): Matrix {
  const { data: w, shape } = lookup(p, `${name}.weight`)
  const [outputs, inputs] = shape as [number, number]
  const bias = p.get(`${name}.bias`)?.data
  const y = new Float64Array(rowsOf(x) * outputs)
  for (let r = 0; r < rowsOf(x); r++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias?.[o] ?? 0
      for (let i = 0; i < inputs; i++) sum += x.data[r * inputs + i]! * w[o * inputs + i]!
      y[r * outputs + o] = sum
    }
  }
  return { data: y, columns: outputs }
}

function eachRow(x: Matrix, change: (row: Float64Array) => Float64Array): Matrix {
  const data = new Float64Array(x.data.length)
  for (let r = 0; r < rowsOf(x); r++) {
    data.set(change(x.data.subarray(r * x.columns, (r + 1) * x.columns)), r * x.columns)
  }
  return { data, columns: x.columns }
}

const mean = (row: Float64Array) => row.reduce((a, b) => a + b, 0) / row.length

function layerNorm(p: Parameters, name: string, x: Matrix): Matrix {
  const [w, b] = [lookup(p, `${name}.weight`).data, lookup(p, `${name}.bias`).data]
  return eachRow(x, (row) => {
    const center = mean(row)
    const rstd = 1 / Math.sqrt(mean(row.map((v) => (v - center) ** 2)) + 1e-12)
    return row.map((v, i) => (v - center) * rstd * w[i]! + b[i]!)
  })
}

function rmsNorm(p: Parameters, name: string, x: Matrix): Matrix {
  const { data: w } = lookup(p, `${name}.weight`)
  return eachRow(x, (row) => {
    const rstd = 1 / Math.sqrt(mean(row.map((v) => v * v)) + 1e-6)
    return row.map((v, i) => v * rstd * w[i]!)
  })
}

const add = (a: Matrix, b: Matrix): Matrix => ({ ...a, data: a.data.map((v, i) => v + b.data[i]!) })
const map = (x: Matrix, fn: (v: number) => number): Matrix => ({ ...x, data: x.data.map(fn) })

const geluErf = (x: number) => functions.geluErf.f(x, exact)
const relu = (x: number) => Math.max(x, 0)

function embedding(p: Parameters, name: string, ids: readonly number[]): Matrix {
  const { data, shape } = lookup(p, name)
  const columns = shape[1] as number
  return { data: Float64Array.from(ids.flatMap((id) => [...data.subarray(id * columns, (id + 1) * columns)])), columns }
}

interface Attending {
  readonly heads: number
  readonly scale: number
  /** Whether query i sees key j. */
  sees(i: number, j: number): boolean
  bias?(head: number, i: number, j: number): number
}

function attention(q: Matrix, k: Matrix, v: Matrix, { heads, scale, sees, bias }: Attending): Matrix {
  const size = q.columns / heads
  const o = new Float64Array(q.data.length)
  const [queries, keys] = [rowsOf(q), rowsOf(k)]
  for (let i = 0; i < queries; i++) {
    const seen = Array.from({ length: keys }, (_, j) => j).filter((j) => sees(i, j))
    for (let h = 0; h < heads; h++) {
      const scores = seen.map((j) => {
        let sum = 0
        for (let d = h * size; d < (h + 1) * size; d++) sum += q.data[i * q.columns + d]! * k.data[j * k.columns + d]!
        return scale * sum + (bias?.(h, i, j) ?? 0)
      })
      const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity)
      const weights = scores.map((score) => Math.exp(score - largest))
      const total = weights.reduce((a, b) => a + b, 0)
      seen.forEach((j, n) => {
        for (let d = h * size; d < (h + 1) * size; d++) {
          o[i * q.columns + d]! += (weights[n]! / total) * v.data[j * k.columns + d]!
        }
      })
    }
  }
  return { data: o, columns: q.columns }
}

/** ELECTRA's last hidden states, one (T, hiddenSize) a sequence; what stands at masked positions means nothing. */
export function electraEncoder(p: Parameters, { ids, mask }: PaddedBatch, layers: number, heads: number): Matrix[] {
  return ids.map((row, b) => {
    const embedded = [
      embedding(p, 'embeddings.word_embeddings.weight', row),
      embedding(p, 'embeddings.position_embeddings.weight', [...row.keys()]),
      embedding(
        p,
        'embeddings.token_type_embeddings.weight',
        row.map(() => 0),
      ),
    ].reduce(add)
    let x = linear(p, 'embeddings_project', layerNorm(p, 'embeddings.LayerNorm', embedded))
    for (let i = 0; i < layers; i++) {
      const at = `encoder.layer.${i}`
      const [q, k, v] = ['query', 'key', 'value'].map((name) => linear(p, `${at}.attention.self.${name}`, x))
      const scale = 1 / Math.sqrt(x.columns / heads)
      const o = attention(q!, k!, v!, { heads, scale, sees: (_, j) => mask[b]![j] === 1 })
      const attended = add(x, linear(p, `${at}.attention.output.dense`, o))
      const normed = layerNorm(p, `${at}.attention.output.LayerNorm`, attended)
      const hidden = map(linear(p, `${at}.intermediate.dense`, normed), geluErf)
      x = layerNorm(p, `${at}.output.LayerNorm`, add(normed, linear(p, `${at}.output.dense`, hidden)))
    }
    return x
  })
}

interface T5Shape {
  readonly layers: number
  readonly heads: number
}

/** What a stack's self-attention adds: the table of its first block, looked up by the places in the padded sequence. */
function positionBias(p: Parameters, stack: 'encoder' | 'decoder', heads: number) {
  const name = `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`
  const { data } = lookup(p, name)
  return (h: number, i: number, j: number) => data[bucketOf(j - i, 32, stack === 'encoder', 128) * heads + h]!
}

function t5FeedForward(p: Parameters, at: string, x: Matrix): Matrix {
  const hidden = map(linear(p, `${at}.DenseReluDense.wi`, rmsNorm(p, `${at}.layer_norm`, x)), relu)
  return add(x, linear(p, `${at}.DenseReluDense.wo`, hidden))
}

/** T5 1.0's encoder: last hidden states, one (T, dModel) a sequence. */
export function t5Encoder(p: Parameters, { ids, mask }: PaddedBatch, { layers, heads }: T5Shape): Matrix[] {
  const bias = positionBias(p, 'encoder', heads)
  return ids.map((row, b) => {
    let x = embedding(p, 'shared.weight', row)
    for (let i = 0; i < layers; i++) {
      const at = `encoder.block.${i}`
      const normed = rmsNorm(p, `${at}.layer.0.layer_norm`, x)
      const [q, k, v] = ['q', 'k', 'v'].map((name) => linear(p, `${at}.layer.0.SelfAttention.${name}`, normed))
      const o = attention(q!, k!, v!, { heads, scale: 1, bias, sees: (_, j) => mask[b]![j] === 1 })
      x = t5FeedForward(p, `${at}.layer.1`, add(x, linear(p, `${at}.layer.0.SelfAttention.o`, o)))
    }
    return rmsNorm(p, 'encoder.final_layer_norm', x)
  })
}

/** T5 1.0's decoder over an encoder's result: last hidden states, one (T, dModel) a sequence. */
export function t5Decoder(
  p: Parameters,
  { ids, mask }: PaddedBatch,
  encoded: readonly Matrix[],
  encoderMask: PaddedBatch['mask'],
  { layers, heads }: T5Shape,
): Matrix[] {
  const bias = positionBias(p, 'decoder', heads)
  return ids.map((row, b) => {
    let x = embedding(p, 'shared.weight', row)
    for (let n = 0; n < layers; n++) {
      const at = `decoder.block.${n}`
      const normed = rmsNorm(p, `${at}.layer.0.layer_norm`, x)
      const [q, k, v] = ['q', 'k', 'v'].map((name) => linear(p, `${at}.layer.0.SelfAttention.${name}`, normed))
      const sees = (i: number, j: number) => j <= i && mask[b]![j] === 1
      x = add(x, linear(p, `${at}.layer.0.SelfAttention.o`, attention(q!, k!, v!, { heads, scale: 1, bias, sees })))
      const cross = linear(p, `${at}.layer.1.EncDecAttention.q`, rmsNorm(p, `${at}.layer.1.layer_norm`, x))
      const [keys, values] = ['k', 'v'].map((name) => linear(p, `${at}.layer.1.EncDecAttention.${name}`, encoded[b]!))
      const o = attention(cross, keys!, values!, { heads, scale: 1, sees: (_, j) => encoderMask[b]![j] === 1 })
      x = t5FeedForward(p, `${at}.layer.2`, add(x, linear(p, `${at}.layer.1.EncDecAttention.o`, o)))
    }
    return rmsNorm(p, 'decoder.final_layer_norm', x)
  })
}
