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
  /** (slots, length): in which slot the key t of a slot's row lies; null while all are in their own. */
  #table: Tensor | null = null
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

  step(tokens: readonly ArrayLike<number>[] | Tensor, wanted: 'last' | 'all'): Tensor {
    if (tokens instanceof Tensor) return this.model.logits(this.#feedGiven(tokens))
    const padding = this.#paddingIn(tokens)
    const logits = this.model.logits(this.#feed(this.#withoutPadding(tokens, padding), wanted))
    return wanted === 'last' || padding.every((count) => count === 0) ? logits : spread(logits, tokens, padding)
  }

  best(tokens: readonly ArrayLike<number>[] | Tensor, banned: readonly number[]): Tensor {
    if (tokens instanceof Tensor) return this.model.bestTokens(this.#feedGiven(tokens), banned)
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

  #feedGiven(tokens: Tensor): Tensor {
    this.#advance(this.#rows.map(() => 1))
    return this.#feedOne(tokens)
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
    const places = this.#places()
    if (again && before.ops) return before.ops.replay(this.#table ? [ids, ...places, this.#table] : [ids, ...places])
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

  /** Where a step's tokens go and what they see: slots, lengths, sentences and their lengths. */
  #places(): [slots: number[], lengths: number[], sentences: number[], sourceLengths: number[]] {
    const sentences = this.#rows.map(({ sentence }) => sentence)
    return [
      this.#rows.map(({ slot }) => slot),
      this.#rows.map(({ length }) => length),
      sentences,
      sentences.map((sentence) => this.#sourceLengths[sentence] as number),
    ]
  }

  /** Tensors that a capture may take over. */
  #inputOf(ids: readonly number[] | Tensor, counts?: readonly number[]): StepInput {
    const [slots, lengths, sentences, sourceLengths] = this.#places()
    return {
      ids: ids instanceof Tensor ? ops.clone(ids) : Tensor.from(Int32Array.from(ids)),
      self: ops.cacheRows(slots, lengths, counts),
      cross: ops.cacheRows(sentences, sourceLengths, counts),
      slotTable: this.#table && ops.clone(this.#table),
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

  select(rows: readonly number[] | Tensor): void {
    const before = this.#rows
    if (rows instanceof Tensor) {
      this.#takeOver(before, rows)
      return
    }
    const unchanged = rows.length === before.length && rows.every((row, i) => row === i)
    if (unchanged) return
    if (rows.length > this.#capacity.rows) {
      throw new StateError(`select: expected at most ${this.#capacity.rows} rows, got ${rows.length}`)
    }
    // The first to continue a row keeps its slot.
    const keepers = new Map<number, number>()
    for (const [i, row] of rows.entries()) if (!keepers.has(row)) keepers.set(row, i)
    const kept = new Set([...keepers.keys()].map((row) => (before[row] as Row).slot))
    const free = this.#slotsBut(kept)
    const parents = rows.map((row) => before[row] as Row)
    this.#rows = parents.map((parent, i) =>
      keepers.get(rows[i] as number) === i ? parent : { ...parent, slot: free(parent.sentence) },
    )
    const moved = this.#rows.some(({ slot, length }, i) => length > 0 && slot !== parents[i]?.slot)
    if (moved) this.#takeOver(before, int32(rows))
  }

  /**
   * Gives slots that no row keeps. Of a sentence's own rows first: what lies in a slot beyond the length of one sentence's
   * rows may still be read by those of a longer one.
   */
  #slotsBut(kept: ReadonlySet<number>): (sentence: number) => number {
    const free = Array.from({ length: this.#capacity.rows }, (_, slot) => slot).filter((slot) => !kept.has(slot))
    const owners = new Map(this.#rows.map(({ slot, sentence }) => [slot, sentence]))
    return (sentence) => {
      const own = free.findIndex((slot) => owners.get(slot) === sentence)
      return free.splice(Math.max(own, 0), 1)[0] as number
    }
  }

  truncate(lengths: readonly number[]): void {
    this.#rows = this.#rows.map((row, i) => {
      const padding = Math.min(this.#paddingOf(row), lengths[i] as number)
      return { ...row, padding, length: (lengths[i] as number) - padding }
    })
    // Keys that take the places of those taken back are the rows' own.
    if (this.#table) this.#takeOver(this.#rows, int32([...this.#rows.keys()]))
  }

  /** Gives rows the lines of the table of those of `before` that they continue. */
  #takeOver(before: readonly Row[], rows: Tensor): void {
    const { rows: slots, length } = this.#capacity
    const own = () => Int32Array.from({ length: slots * length }, (_, i) => Math.floor(i / length))
    const table = this.#table ?? Tensor.from(own(), { shape: [slots, length] })
    const slotsOf = (list: readonly Row[]) => int32(list.map(({ slot }) => slot))
    const lengths = int32(this.#rows.map((row) => row.length))
    const next = keep(ops.continueSlots(table, slotsOf(before), rows, slotsOf(this.#rows), lengths))
    table.dispose()
    this.#table = next
  }

  dispose(): void {
    this.#forget()
    this.#table?.dispose()
    this.#table = null
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

function int32(values: readonly number[]): Tensor {
  return Tensor.from(Int32Array.from(values))
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
