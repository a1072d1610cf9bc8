// A model small enough to compute by hand: its logits depend on the source and on every token fed, in order.
import {
  type DecoderState,
  type EncoderInputs,
  GenerationDefaults,
  type GenerativeModel,
  keep,
  ops,
  Tensor,
} from '../../lib/index.ts'
import { randomOf } from '../harness.ts'

const hidden = 6

export interface FakeOptions {
  readonly seed: number
  readonly vocabSize?: number
  /** Added to the end token's logit. */
  readonly endBias?: number
}

export class FakeModel implements GenerativeModel {
  readonly device = 'cpu'
  readonly generationConfig = GenerationDefaults.fromJson({
    eos_token_id: 1,
    pad_token_id: 0,
    decoder_start_token_id: 0,
  })
  readonly vocabSize: number
  /** Rows of every step since the start. */
  readonly steps: number[] = []
  /** Replaces logits, to see what a search does with them. */
  spoil: ((logits: Float32Array) => void) | null = null
  readonly #mix: Float64Array
  readonly #embedding: Float64Array
  readonly #output: Float64Array
  readonly #endBias: number

  constructor({ seed, vocabSize = 11, endBias = 0 }: FakeOptions) {
    const random = randomOf(seed)
    const normals = (count: number, scale: number) =>
      Float64Array.from({ length: count }, () => random.normal() * scale)
    this.vocabSize = vocabSize
    this.#mix = normals(hidden * hidden, 0.6)
    this.#embedding = normals(vocabSize * hidden, 1)
    this.#output = normals(vocabSize * hidden, 1.5)
    this.#endBias = endBias
  }

  /** Logits, in float32, of what follows the ids. */
  logitsOf(source: ArrayLike<number>, ids: ArrayLike<number>): Float32Array {
    let h = new Float64Array(hidden)
    for (const id of [...Array.from(source), ...Array.from(ids)]) {
      h = h.map((_, i) => {
        let sum = this.#embedding[id * hidden + i]!
        for (let j = 0; j < hidden; j++) sum += this.#mix[i * hidden + j]! * h[j]!
        return Math.tanh(sum)
      })
    }
    return Float32Array.from({ length: this.vocabSize }, (_, v) => {
      let sum = v === 1 ? this.#endBias : 0
      for (let j = 0; j < hidden; j++) sum += this.#output[v * hidden + j]! * h[j]!
      return sum
    })
  }

  startDecoding(inputs: EncoderInputs, capacity: { rows: number; length: number }): FakeDecoder {
    return new FakeDecoder(this, sourcesOf(inputs), capacity)
  }
}

class FakeDecoder implements DecoderState {
  readonly device = 'cpu'
  // What a real decoder holds on the device.
  readonly #cache = keep(Tensor.zeros([3]))
  #rows: { source: number[]; fed: number[] }[]
  #logits: readonly Float32Array[] = []
  #best: { readonly tensor: Tensor; readonly ids: readonly number[] } | null = null

  constructor(
    private readonly model: FakeModel,
    sources: readonly number[][],
    private readonly capacity: { rows: number; length: number },
  ) {
    this.#rows = sources.map((source) => ({ source, fed: [] }))
  }

  step(tokens: readonly ArrayLike<number>[], wanted: 'last' | 'all'): Tensor {
    if (tokens.length !== this.#rows.length) throw new Error(`expected ${this.#rows.length} rows, got ${tokens.length}`)
    this.model.steps.push(tokens.length)
    const lists = this.#rows.flatMap(({ source, fed }, i) => {
      const fresh = Array.from(tokens[i]!)
      if (fresh.length === 0) throw new Error('expected tokens for every row')
      const logits = fresh.map((id) => {
        fed.push(id)
        return this.model.logitsOf(source, fed)
      })
      // The newest token is chosen, not fed: the last place stays free.
      if (fed.length >= this.capacity.length) throw new Error('fed beyond the capacity')
      return wanted === 'last' ? logits.slice(-1) : logits
    })
    const { vocabSize } = this.model
    const data = new Float32Array(lists.length * vocabSize)
    lists.forEach((list, i) => {
      data.set(list, i * vocabSize)
    })
    this.model.spoil?.(data)
    this.#logits = lists.map((_, i) => data.subarray(i * vocabSize, (i + 1) * vocabSize))
    return Tensor.from(data, { shape: [lists.length, vocabSize] })
  }

  best(tokens: readonly ArrayLike<number>[] | Tensor, banned: readonly number[]): Tensor {
    if (tokens instanceof Tensor && tokens !== this.#best?.tensor) throw new Error('expected what best gave before')
    const fed = tokens instanceof Tensor ? this.#best!.ids.map((id) => [id]) : tokens
    const logits = this.step(fed, 'last')
    const tensor = ops.argmax(ops.banTokens(logits, Tensor.from(Int32Array.from(banned))))
    // A real decoder finds them on the device.
    this.#best = { tensor, ids: this.#logits.map((row) => bestOf(row, banned)) }
    return tensor
  }

  select(rows: readonly number[]): void {
    if (rows.length > this.capacity.rows) throw new Error('more rows than the capacity')
    this.#rows = rows.map((row) => ({ source: this.#rows[row]!.source, fed: [...this.#rows[row]!.fed] }))
  }

  truncate(lengths: readonly number[]): void {
    this.#rows.forEach((row, i) => {
      if (lengths[i]! > row.fed.length) throw new Error(`expected at most ${row.fed.length} tokens, got ${lengths[i]}`)
      row.fed.length = lengths[i]!
    })
  }

  dispose(): void {
    this.#cache.dispose()
  }
}

function bestOf(logits: Float32Array, banned: readonly number[]): number {
  const allowed = logits.map((value, id) => (banned.includes(id) ? Number.NEGATIVE_INFINITY : value))
  return allowed.indexOf(Math.max(...allowed))
}

function sourcesOf({ inputIds, attentionMask, batch, length }: EncoderInputs): number[][] {
  return Array.from({ length: batch }, (_, b) =>
    Array.from(inputIds.subarray(b * length, (b + 1) * length)).filter((_, t) => attentionMask[b * length + t] === 1),
  )
}

/** Sources of different lengths as a batch, padded on the right. */
export function batchOf(sources: readonly (readonly number[])[]): { encoder: EncoderInputs } {
  const length = Math.max(...sources.map((source) => source.length))
  const inputIds = new Int32Array(sources.length * length)
  const attentionMask = new Uint8Array(sources.length * length)
  sources.forEach((source, b) => {
    inputIds.set(source, b * length)
    attentionMask.fill(1, b * length, b * length + source.length)
  })
  return { encoder: { inputIds, attentionMask, batch: sources.length, length } }
}
