import { describe, ShapeError } from './errors.ts'
import { Tensor } from './tensor.ts'

/**
 * How a batch of sequences lies in rows without padding: hidden states are `(N, dModel)`, the rows of sequence b being
 * `cuSeqlens[b]` to `cuSeqlens[b + 1]`. Rows that a head reads although they are masked stay as query-only rows: they
 * attend, but are never a key; keys are then a subset of the rows, `keyRows`.
 */
export class Packing {
  private constructor(
    /** Sequences in the batch. */ readonly batch: number,
    /** Longest sequence of the padded surface; its number of columns. */ readonly maxLength: number,
    /** (N) flat index `b · maxLength + t` of each row in the padded surface. */ readonly index: Int32Array,
    /** (B + 1) first row of each sequence. */ readonly cuSeqlens: Int32Array,
    /** (B + 1) the same for keys; the very array where all rows are keys. */ readonly keyCuSeqlens: Int32Array,
    /** (Nk) rows that are keys; null when all are. */ readonly keyRows: Int32Array | null,
    /** (N) position of each row in its sequence; null where they are 0, 1, 2, … throughout. */
    readonly positions: Int32Array | null,
  ) {}

  /**
   * @param mask (B, T), 1 where a token is real; any pattern: padding on either side, holes.
   * @param options.keepMasked which masked rows, by flat index b · T + t, stay as query-only rows, because a head reads
   *   them; true: all. @default false
   * @throws {ShapeError} if the mask has not B·T values.
   */
  static fromMask(
    mask: ArrayLike<number | bigint>,
    batch: number,
    length: number,
    { keepMasked = false }: { keepMasked?: boolean | ((index: number) => boolean) } = {},
  ): Packing {
    if (mask.length !== batch * length) {
      throw new ShapeError(`Packing: expected a mask of ${batch} x ${length} values, got ${describe(mask)}`)
    }
    const keeps = typeof keepMasked === 'function' ? keepMasked : () => keepMasked
    const index: number[] = []
    const keyRows: number[] = []
    const starts = [0]
    const keyStarts = [0]
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < length; t++) {
        const real = Number(mask[b * length + t]) !== 0
        if (real) keyRows.push(index.length)
        if (real || keeps(b * length + t)) index.push(b * length + t)
      }
      starts.push(index.length)
      keyStarts.push(keyRows.length)
    }
    const cuSeqlens = Int32Array.from(starts)
    const allKeys = keyRows.length === index.length
    return new Packing(
      batch,
      length,
      Int32Array.from(index),
      cuSeqlens,
      allKeys ? cuSeqlens : Int32Array.from(keyStarts),
      allKeys ? null : Int32Array.from(keyRows),
      positionsOf(index, cuSeqlens, length, !allKeys),
    )
  }

  /** Sequences of the given lengths, each from position 0, without padding or holes. */
  static fromLengths(lengths: readonly number[]): Packing {
    const length = Math.max(0, ...lengths)
    const mask = new Uint8Array(lengths.length * length)
    lengths.forEach((n, b) => {
      if (!Number.isSafeInteger(n) || n < 0) throw new ShapeError(`Packing: expected lengths >= 0, got ${describe(n)}`)
      mask.fill(1, b * length, b * length + n)
    })
    return Packing.fromMask(mask, lengths.length, length)
  }

  /** The sequences `first` to `end` − 1 as a batch of their own. */
  part(first: number, end: number): Packing {
    const within = (starts: Int32Array) => starts.slice(first, end + 1).map((row) => row - (starts[first] as number))
    const [from, to] = [this.cuSeqlens[first], this.cuSeqlens[end]] as [number, number]
    const cuSeqlens = within(this.cuSeqlens)
    return new Packing(
      end - first,
      this.maxLength,
      this.index.slice(from, to).map((i) => i - first * this.maxLength),
      cuSeqlens,
      this.keyRows ? within(this.keyCuSeqlens) : cuSeqlens,
      this.keyRows?.slice(this.keyCuSeqlens[first], this.keyCuSeqlens[end]).map((row) => row - from) ?? null,
      this.positions?.slice(from, to) ?? null,
    )
  }

  /** Rows: real tokens, and masked ones that were kept. */
  get rows(): number {
    return this.index.length
  }

  /** Position of each key in its sequence; null where they are 0, 1, 2, … throughout. */
  get keyPositions(): Int32Array | null {
    const { positions, keyRows } = this
    return positions && keyRows ? keyRows.map((row) => positions[row] as number) : positions
  }

  /** The integer inputs of the attention op, as tensors; whoever asks disposes of them. */
  tensors(): PackingTensors {
    const cuSeqlens = Tensor.fromWithHostCopy(this.cuSeqlens)
    const keyPositions = this.keyPositions
    return {
      cuSeqlens,
      keyCuSeqlens: this.keyRows ? Tensor.fromWithHostCopy(this.keyCuSeqlens) : cuSeqlens,
      index: Tensor.from(this.index),
      keyRows: this.keyRows && Tensor.from(this.keyRows),
      positions: this.positions && Tensor.from(this.positions),
      keyPositions: keyPositions && Tensor.from(keyPositions),
    }
  }
}

export interface PackingTensors {
  readonly cuSeqlens: Tensor
  readonly keyCuSeqlens: Tensor
  readonly index: Tensor
  readonly keyRows: Tensor | null
  readonly positions: Tensor | null
  readonly keyPositions: Tensor | null
}

function positionsOf(index: readonly number[], starts: Int32Array, length: number, always: boolean): Int32Array | null {
  const positions = Int32Array.from(index, (i) => i % length)
  let plain = true
  for (let b = 0; b + 1 < starts.length; b++) {
    const start = starts[b] as number
    for (let row = start; row < (starts[b + 1] as number); row++) plain &&= positions[row] === row - start
  }
  // With query-only rows the keys are not 0, 1, 2, … even where the rows are.
  return plain && !always ? null : positions
}
