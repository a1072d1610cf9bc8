// A model small enough to compute by hand: a machine of few states. Every token fed leads to another state, and each state
// has its logits. The device computes the same, bit for bit, where tokens are not known here.
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

const states = 61

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
  /** (states, V): where each token leads. */
  readonly #next: Int32Array
  /** (states, V) */
  readonly #logits: Float32Array

  constructor({ seed, vocabSize = 11, endBias = 0 }: FakeOptions) {
    const random = randomOf(seed)
    this.vocabSize = vocabSize
    this.#next = Int32Array.from({ length: states * vocabSize }, () => random.integer(states))
    this.#logits = Float32Array.from({ length: states * vocabSize }, (_, i) => {
      return random.normal() * 2.5 + (i % vocabSize === 1 ? endBias : 0)
    })
  }

  stateAfter(ids: ArrayLike<number>): number {
    return Array.from(ids).reduce((state, id) => this.#next[state * this.vocabSize + id]!, 0)
  }

  /** Logits of what follows the ids. */
  logitsOf(source: ArrayLike<number>, ids: ArrayLike<number>): Float32Array {
    const state = this.stateAfter([...Array.from(source), ...Array.from(ids)])
    return this.#logits.slice(state * this.vocabSize, (state + 1) * this.vocabSize)
  }

  /** The same of states as rows of one 1 among zeros (R, states), after a token each (R) int32. */
  step(before: Tensor, tokens: Tensor): { after: Tensor; logits: Tensor } {
    const { vocabSize } = this
    const rows = before.shape[0]!
    const token = ops.embedding(oneHot([...new Array(vocabSize).keys()], vocabSize), tokens)
    const pair = ops.mul(ops.reshape(before, [rows, states, 1]), ops.reshape(token, [rows, 1, vocabSize]))
    const after = ops.gemm(ops.reshape(pair, [rows, states * vocabSize]), oneHot(this.#next, states))
    return { after, logits: ops.gemm(after, Tensor.from(this.#logits, { shape: [states, vocabSize] })) }
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
  /** (rows, states) once what is fed is known to the device alone; `#rows` are then out of date. */
  #onDevice: Tensor | null = null

  constructor(
    private readonly model: FakeModel,
    sources: readonly number[][],
    private readonly capacity: { rows: number; length: number },
  ) {
    this.#rows = sources.map((source) => ({ source, fed: [] }))
  }

  step(tokens: readonly ArrayLike<number>[] | Tensor, wanted: 'last' | 'all'): Tensor {
    if (this.#onDevice) return this.#stepOnDevice(this.#onDevice, tokens)
    if (tokens instanceof Tensor) throw new Error('expected tokens of rows that the device chose')
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

  #stepOnDevice(before: Tensor, tokens: readonly ArrayLike<number>[] | Tensor): Tensor {
    const ids = tokens instanceof Tensor ? tokens : Tensor.from(Int32Array.from(tokens, (list) => list[0]!))
    if (ids.size !== before.shape[0]) throw new Error(`expected ${before.shape[0]} rows, got ${ids.size}`)
    this.model.steps.push(ids.size)
    const { after, logits } = this.model.step(before, ids)
    this.#goTo(after)
    return logits
  }

  #goTo(state: Tensor): void {
    this.#onDevice?.dispose()
    this.#onDevice = keep(state)
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

  select(rows: readonly number[] | Tensor): void {
    if (rows instanceof Tensor || this.#onDevice) {
      const before =
        this.#onDevice ??
        oneHot(
          this.#rows.map((row) => this.model.stateAfter([...row.source, ...row.fed])),
          states,
        )
      this.#goTo(ops.gatherRows(before, rows instanceof Tensor ? rows : Tensor.from(Int32Array.from(rows))))
      return
    }
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
    this.#onDevice?.dispose()
  }
}

/** (ids, size): a 1 in each row. */
function oneHot(ids: ArrayLike<number>, size: number): Tensor {
  const data = new Float32Array(ids.length * size)
  Array.from(ids).forEach((id, row) => {
    data[row * size + id] = 1
  })
  return Tensor.from(data, { shape: [ids.length, size] })
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
