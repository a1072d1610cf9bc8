import type { DeviceName } from '../device.ts'
import { StateError } from '../errors.ts'
import type { DecoderCapacity, DecoderState } from '../generate/index.ts'
import type { AttentionContext } from '../nn/index.ts'
import { Capture } from '../ops/capture.ts'
import * as ops from '../ops/index.ts'
import { keep } from '../scope.ts'
import { Tensor } from '../tensor.ts'
import type { T5Block, T5Encoded, T5ForConditionalGeneration, T5Stack } from './t5.ts'

/** Keys and values of one layer: (slots, H, maxLength, D) each. */
interface Cache {
  readonly k: Tensor
  readonly v: Tensor
}

/** A row of the decoder: where its keys and values are written, and what it attends to. */
interface Row {
  readonly slot: number
  readonly sentence: number
  /** Keys: tokens fed but for padding. */
  readonly length: number
  /** Padding fed. */
  readonly padding: number
}

/** What a step reads beside caches and weights. */
interface StepInput {
  readonly ids: Tensor
  readonly self: ops.CacheRows
  readonly cross: ops.CacheRows
  readonly slotTable: Tensor | null
}

/**
 * T5's decoder fed token by token. The keys and values of a token lie in the slot of the row that was fed it; a row that
 * continues another takes over that one's line of a table of slots, so that nothing is copied. Those of the encoder's result
 * are computed once, and shared by all rows of a sentence.
 */
export class T5Decoding implements DecoderState {
  readonly #caches: Cache[] = []
  readonly #sources: Cache[] = []
  readonly #sourceLengths: readonly number[]
  readonly #context: Pick<AttentionContext, 'rows' | 'pass'>
  readonly #capacity: DecoderCapacity
  #rows: readonly Row[]
  /** (slots · length): in which slot the key t of a slot's row lies; null while all are in their own. */
  #table: Int32Array | null = null
  /** A step of one token for each of so many rows, with a table of slots or without; captured when it comes again. */
  #repeated: { readonly rows: number; readonly table: boolean; readonly ops: Capture | null } | null = null

  constructor(
    private readonly model: T5ForConditionalGeneration,
    encoded: T5Encoded,
    capacity: DecoderCapacity,
  ) {
    const { keyCuSeqlens } = encoded.rows.packing
    this.#capacity = capacity
    this.#sourceLengths = Array.from(keyCuSeqlens.subarray(1), (end, i) => end - (keyCuSeqlens[i] as number))
    this.#rows = this.#sourceLengths.map((_, sentence) => ({ slot: sentence, sentence, length: 0, padding: 0 }))
    // Nothing is dropped, so that no layer looks at the rows.
    this.#context = { rows: encoded.rows, pass: { training: false, seed: 0, step: 0 } }
    try {
      this.#makeCaches(encoded)
    } catch (error) {
      this.dispose()
      throw error
    }
  }

  step(tokens: readonly ArrayLike<number>[], wanted: 'last' | 'all'): Tensor {
    const padding = this.#paddingIn(tokens)
    const logits = this.model.logits(this.#feed(this.#withoutPadding(tokens, padding), wanted))
    return wanted === 'last' || padding.every((count) => count === 0) ? logits : spread(logits, tokens, padding)
  }

  best(tokens: readonly ArrayLike<number>[] | Tensor, banned: readonly number[]): Tensor {
    if (tokens instanceof Tensor) {
      this.#advance(this.#rows.map(() => 1))
      return this.model.bestTokens(this.#feedOne(tokens), banned)
    }
    const real = this.#withoutPadding(tokens, this.#paddingIn(tokens))
    return this.model.bestTokens(this.#feed(real, 'last'), banned)
  }

  /** Padding comes first and is not fed: with it gone, the distances between all other tokens are what they were. */
  #withoutPadding(tokens: readonly ArrayLike<number>[], padding: readonly number[]): readonly ArrayLike<number>[] {
    if (padding.every((count) => count === 0)) return tokens
    this.#rows = this.#rows.map((row, i) => ({ ...row, padding: row.padding + (padding[i] as number) }))
    return tokens.map((list, i) => Array.from(list).slice(padding[i]))
  }

  /** What the head reads, after the final norm. */
  #feed(tokens: readonly ArrayLike<number>[], wanted: 'last' | 'all'): Tensor {
    const counts = tokens.map(({ length }) => length)
    this.#advance(counts)
    const ids = tokens.flatMap((list) => Array.from(list))
    if (counts.every((count) => count === 1)) return this.#feedOne(ids)
    const input = this.#inputOf(ids, counts)
    const h = this.#throughBlocks(input)
    const last = wanted === 'last' && ids.length > counts.length ? ops.gatherRows(h, lastRows(counts)) : h
    return this.#decoder.finalNorm.forward(last)
  }

  #advance(counts: readonly number[]): void {
    this.#rows = this.#rows.map((row, i) => ({ ...row, length: row.length + (counts[i] as number) }))
  }

  /**
   * A token of each row, as most steps feed: the same ops over the same tensors while rows stay. The first such step is not
   * captured: copies of weights that it makes, to keep them, would be made anew each time.
   */
  #feedOne(ids: readonly number[] | Tensor): Tensor {
    const before = this.#repeated
    const [rows, table] = [this.#rows.length, this.#table !== null]
    const again = before?.rows === rows && before.table === table
    if (again && before.ops) return before.ops.replay([ids, ...this.#places()])
    this.#forget()
    const input = this.#inputOf(ids)
    const step = () => this.#decoder.finalNorm.forward(this.#throughBlocks(input))
    if (!again) {
      this.#repeated = { rows, table, ops: null }
      return step()
    }
    const { self, cross, slotTable } = input
    const inputs = [input.ids, self.slots, self.lengths, cross.slots, cross.lengths] as const
    const { capture, result } = Capture.record(slotTable ? [...inputs, slotTable] : inputs, step)
    this.#repeated = { rows, table, ops: capture }
    return result
  }

  #forget(): void {
    this.#repeated?.ops?.[Symbol.dispose]()
    this.#repeated = null
  }

  /** Where a step's tokens go and what they see: slots, lengths, sentences, their lengths, and the table if there is one. */
  #places(): ArrayLike<number>[] {
    const sentences = this.#rows.map(({ sentence }) => sentence)
    const places = [
      this.#rows.map(({ slot }) => slot),
      this.#rows.map(({ length }) => length),
      sentences,
      sentences.map((sentence) => this.#sourceLengths[sentence] as number),
    ]
    return this.#table ? [...places, this.#table] : places
  }

  #inputOf(ids: readonly number[] | Tensor, counts?: readonly number[]): StepInput {
    const [slots, lengths, sentences, sourceLengths] = this.#places() as number[][]
    const { rows, length } = this.#capacity
    return {
      ids: ids instanceof Tensor ? ops.clone(ids) : Tensor.from(Int32Array.from(ids)),
      self: ops.cacheRows(slots as number[], lengths as number[], counts),
      cross: ops.cacheRows(sentences as number[], sourceLengths as number[], counts),
      slotTable: this.#table && Tensor.from(this.#table, { shape: [rows, length] }),
    }
  }

  /** The residual stream after the last block. */
  #throughBlocks({ ids, self, cross, slotTable }: StepInput): Tensor {
    let h = this.model.trunk.shared.forward(ids)
    this.#decoder.blocks.forEach((block, i) => {
      h = this.#selfAttention(block, h, this.#caches[i] as Cache, self, slotTable)
      h = this.#crossAttention(block, h, this.#sources[i] as Cache, cross)
      h = block.feedForward.forward(block.feedForwardNorm.forward(h), h, this.#context.rows, this.#context.pass)
    })
    return h
  }

  get device(): DeviceName {
    return this.model.device
  }

  select(rows: readonly number[]): void {
    const before = this.#rows
    const unchanged = rows.length === before.length && rows.every((row, i) => row === i)
    if (unchanged) return
    if (rows.length > this.#capacity.rows) {
      throw new StateError(`select: expected at most ${this.#capacity.rows} rows, got ${rows.length}`)
    }
    // The first to continue a row keeps its slot; others get slots that no row keeps.
    const keepers = new Map<number, number>()
    for (const [i, row] of rows.entries()) if (!keepers.has(row)) keepers.set(row, i)
    const kept = new Set([...keepers.keys()].map((row) => (before[row] as Row).slot))
    const free = Array.from({ length: this.#capacity.rows }, (_, slot) => slot).filter((slot) => !kept.has(slot))
    const parents = rows.map((row) => before[row] as Row)
    this.#rows = parents.map((parent, i) =>
      keepers.get(rows[i] as number) === i ? parent : { ...parent, slot: free.shift() as number },
    )
    this.#takeOver(parents)
  }

  truncate(lengths: readonly number[]): void {
    this.#rows = this.#rows.map((row, i) => {
      const padding = Math.min(this.#paddingOf(row), lengths[i] as number)
      return { ...row, padding, length: (lengths[i] as number) - padding }
    })
    for (const { slot, length } of this.#rows) this.#line(slot)?.fill(slot, length)
  }

  dispose(): void {
    this.#forget()
    for (const { k, v } of [...this.#caches, ...this.#sources]) {
      k.dispose()
      v.dispose()
    }
  }

  #paddingOf({ sentence }: Row): number {
    return this.#capacity.promptPadding?.[sentence] ?? 0
  }

  /** How many of the tokens that each row is fed next are padding. */
  #paddingIn(tokens: readonly ArrayLike<number>[]): number[] {
    return this.#rows.map((row, i) => {
      return Math.min(this.#paddingOf(row) - row.padding, (tokens[i] as ArrayLike<number>).length)
    })
  }

  get #decoder(): T5Stack {
    return this.model.trunk.decoder as T5Stack
  }

  #makeCaches({ hidden, rows: source }: T5Encoded): void {
    const { numHeads, dKV } = this.model.config
    const { rows, length } = this.#capacity
    const counts = this.#sourceLengths
    const sentences = counts.map((_, sentence) => sentence)
    const longest = Math.max(...counts)
    const all = ops.cacheRows(sentences, counts, counts)
    for (const block of this.#decoder.blocks) {
      addCache(this.#caches, [rows, numHeads, length, dKV])
      const { k, v } = addCache(this.#sources, [counts.length, numHeads, longest, dKV])
      const keys = block.crossAttention?.projectKeys(hidden, source)
      if (keys) ops.kvCacheAppend(k, v, keys.k, keys.v, all)
    }
  }

  #selfAttention(block: T5Block, h: Tensor, { k, v }: Cache, rows: ops.CacheRows, slotTable: Tensor | null): Tensor {
    const { attention, attentionNorm, bias } = block
    const heads = attention.project(attentionNorm.forward(h))
    ops.kvCacheAppend(k, v, heads.k, heads.v, rows)
    const { table: biasTable, rule } = bias
    const options = { causal: true, slotTable, biasTable, bidirectional: false, maxDistance: rule.maxDistance }
    return attention.finish(flat(ops.attentionDecode(heads.q, k, v, rows, options)), h, this.#context)
  }

  #crossAttention(block: T5Block, h: Tensor, { k, v }: Cache, rows: ops.CacheRows): Tensor {
    const { crossAttention, crossAttentionNorm } = block
    if (!crossAttention || !crossAttentionNorm) return h
    const q = crossAttention.project(crossAttentionNorm.forward(h))
    return crossAttention.finish(flat(ops.attentionDecode(q, k, v, rows)), h, this.#context)
  }

  #line(slot: number): Int32Array | undefined {
    const { length } = this.#capacity
    return this.#table?.subarray(slot * length, (slot + 1) * length)
  }

  /** Gives rows that changed their slot the lines of the table of those that they continue. */
  #takeOver(parents: readonly Row[]): void {
    const { rows, length } = this.#capacity
    const moved = this.#rows.some(({ slot, length: fed }, i) => fed > 0 && slot !== parents[i]?.slot)
    if (!this.#table && moved)
      this.#table = Int32Array.from({ length: rows * length }, (_, i) => Math.floor(i / length))
    const before = this.#table?.slice()
    if (!before) return
    this.#rows.forEach(({ slot, length: fed }, i) => {
      const from = (parents[i] as Row).slot * length
      this.#line(slot)
        ?.fill(slot, fed)
        .set(before.subarray(from, from + fed))
    })
  }
}

function addCache(list: Cache[], shape: readonly number[]): Cache {
  // Never read before it is written, but for lanes beyond a length, which must be finite.
  const k = keep(Tensor.zeros(shape))
  try {
    const cache = { k, v: keep(Tensor.zeros(shape)) }
    list.push(cache)
    return cache
  } catch (error) {
    k.dispose()
    throw error
  }
}

/** (N, H, D) as (N, H · D). */
function flat(heads: Tensor): Tensor {
  return ops.reshape(heads, [heads.shape[0] as number, -1])
}

/** Logits of the tokens that were fed, with rows of zeros for the padding before them. */
function spread(logits: Tensor, tokens: readonly ArrayLike<number>[], padding: readonly number[]): Tensor {
  const places: number[] = []
  let total = 0
  tokens.forEach(({ length }, i) => {
    for (let t = padding[i] as number; t < length; t++) places.push(total + t)
    total += length
  })
  return ops.scatterRows(logits, Tensor.from(Int32Array.from(places)), total)
}

/** The last row of each sequence. */
function lastRows(counts: readonly number[]): Tensor {
  let end = 0
  return Tensor.from(
    Int32Array.from(counts, (count) => {
      end += count
      return end - 1
    }),
  )
}
