import { added, differentiable } from '../autograd/differentiable.ts'
import { gradEnabled } from '../autograd/grad-mode.ts'
import { ShapeError, StateError } from '../errors.ts'
import type { NativeOps } from '../native/schema.generated.ts'
import { denseStrides, native, shapeText, sizeOf, Tensor } from '../tensor.ts'
import type { DropoutOptions } from './dropout.ts'
import { WeightCopy } from './weight-copy.ts'

/** Function at the end of a product: `geluErf` is ELECTRA's GELU, `geluTanh` T5 1.1's. */
export type Activation = NonNullable<NonNullable<Parameters<NativeOps<Tensor>['gemm']>[7]>['act']>

export interface EpilogueOptions extends DropoutOptions {
  /** (N), added to every row. */
  bias?: Tensor | null
  /** @default 'none' */
  act?: Activation
  /** Shape of the result; multiplies it after the activation (gated GELU: the other projection). */
  gate?: Tensor | null
  /** Shape of the result; added last. */
  residual?: Tensor | null
  /**
   * Backward multiplies again to get what `act` was given, instead of keeping it: memory for a product. Of float32 products
   * with gradients for both operands, without `gate`. @default false
   */
  recompute?: boolean
}

export interface GemmOptions extends EpilogueOptions {
  /** Factor of the product. @default 1 */
  alpha?: number
  /** Factor of `c`; with 0, `c` is not read. @default 1 */
  beta?: number
  /** Shape of the result. */
  c?: Tensor | null
  /** Take a as (…, K, M). @default false */
  transposeA?: boolean
  /** Take b as (…, N, K), as weights are stored. @default false */
  transposeB?: boolean
}

interface Attrs {
  readonly alpha: number
  readonly beta: number
  readonly transposeA: boolean
  readonly transposeB: boolean
  readonly recompute: boolean
  /** Of forward and backward alike. */
  readonly epilogue: Required<DropoutOptions> & { readonly act: Activation }
}

/** A view with the last two dimensions exchanged, when asked for. */
function oriented(x: Tensor, transpose: boolean): Tensor {
  const rank = x.shape.length
  if (rank < 2) throw new ShapeError(`gemm: expected at least 2 dimensions, got ${shapeText(x.shape)}`)
  if (!transpose) return x
  const exchange = (values: readonly number[]) => [
    ...values.slice(0, -2),
    values[rank - 1] as number,
    values[rank - 2] as number,
  ]
  return x.view(exchange(x.shape), exchange(x.strides), x.offset)
}

/** All but the last dimension as one: a view where strides allow it, else a copy. */
function asRows(x: Tensor): Tensor {
  const columns = x.shape.at(-1) as number
  const rows = sizeOf(x.shape.slice(0, -1))
  const dense = denseStrides(x.shape)
  const contiguous = x.shape.every((size, i) => size <= 1 || x.strides[i] === dense[i])
  const source = contiguous ? x : native.cast(x, { dtype: x.dtype })
  return source.view([rows, columns], [columns, 1], source.offset)
}

function multiply(a: Tensor, b: Tensor, alpha: number): Tensor {
  return native.gemm(a, b, null, null, null, null, null, { alpha }).y
}

/** dA = α·dz·Bᵀ, in the layout of a. */
function gradientOfA(dz: Tensor, b: Tensor, { alpha, transposeA }: Attrs): Tensor {
  const bT = oriented(b, true)
  if (!transposeA) return multiply(dz, bT, alpha)
  // (dz·Bᵀ)ᵀ = B·dzᵀ; a matrix b that serves a whole batch is repeated by strides of 0.
  const leading = dz.shape.slice(0, -2)
  const missing = dz.shape.length - b.shape.length
  const repeated = missing ? b.view([...leading, ...b.shape], [...leading.map(() => 0), ...b.strides], b.offset) : b
  return multiply(repeated, oriented(dz, true), alpha)
}

// Of a gradient that is added to another in place, so many numbers are there at a time: 16 MB.
const mostAtATime = 2 ** 22

/**
 * dB = α·Aᵀ·dz, in the layout of b; summed over the batch where b has none.
 *
 * @param sum what it may be added to, see `Context.sumOf`: a table's gradient, then, is not there twice.
 */
function gradientOfB(a: Tensor, dz: Tensor, rank: number, { alpha, transposeB }: Attrs, sum: Tensor | null) {
  const shared = rank < dz.shape.length
  const rows = shared ? asRows(a) : a
  const dRows = shared ? asRows(dz) : dz
  const [left, right] = transposeB ? [oriented(dRows, true), rows] : [oriented(rows, true), dRows]
  if (!sum || sum.size <= mostAtATime || sum.shape.length > 2) return multiply(left, right, alpha)
  const [count, columns] = sum.shape as [number, number]
  const most = Math.ceil(mostAtATime / columns)
  for (let start = 0; start < count; start += most) {
    const end = Math.min(start + most, count)
    using part = multiply(rowsOf(left, start, end), right, alpha)
    native.accumulate(rowsOf(sum, start, end), part)
  }
  return added
}

/** A view of some rows of a matrix. */
function rowsOf(matrix: Tensor, start: number, end: number): Tensor {
  const { shape, strides, offset } = matrix
  return matrix.view([end - start, shape[1] as number], strides, offset + start * (strides[0] as number))
}

const gemmOp = differentiable('gemm', {
  forward(
    ctx,
    a: Tensor,
    b: Tensor | PackedWeight,
    c: Tensor | null,
    bias: Tensor | null,
    gate: Tensor | null,
    residual: Tensor | null,
    attrs: Attrs,
  ) {
    const { transposeA, transposeB, alpha, beta, epilogue } = attrs
    const { act, dropoutP, seed, site, step } = epilogue
    const packed = b instanceof PackedWeight ? b : null
    const left = oriented(a, transposeA)
    const right = packed ? null : oriented(b as Tensor, transposeB)
    const needsZ = ctx.recording && (act !== 'none' || gate !== null)
    const both = right && !c && ctx.needs(0) && ctx.needs(1)
    const again = needsZ && attrs.recompute && both && !gate && left.dtype === 'float32' && right.dtype === 'float32'
    const { y, z } = native.gemm(left, right, packed?.packed ?? null, c, bias, gate, residual, {
      act,
      dropoutP,
      seed,
      site,
      step,
      alpha,
      beta,
      n: packed?.n ?? 0,
      saveZ: needsZ && !again,
    })
    ctx.save({
      a: ctx.needs(1) ? left : null,
      b: ctx.needs(0) ? (right ?? (packed as PackedWeight).weight) : null,
      bias: again ? bias : null,
      z,
      gate,
    })
    if (again) {
      const { saved } = ctx
      const product = () =>
        native.gemm(saved.a!, saved.b!, null, null, ctx.savedOrNull('bias'), null, null, { alpha }).y
      ctx.saveComputed('z', product)
    }
    if (needsZ && !residual && y.dtype === 'float32') {
      // What follows a product costs less to compute again than to keep.
      const activated = () => {
        const [from, by] = [ctx.saved.z as Tensor, ctx.savedOrNull('gate')]
        if (act === 'none') return by ? native.binary(from, by, { op: 'mul' }) : from
        return by ? native.gated(from, by, { kind: act }) : native.unary(from, { kind: act })
      }
      y.origin = () => {
        const before = activated()
        if (dropoutP === 0) return before
        using _ = before
        return native.dropout(before, epilogue)
      }
    }
    // Handles of the forward alone: as long as they live, so does what they view.
    for (const own of [left === a ? null : left, right === b ? null : right, z]) own?.dispose()
    ctx.remember({ attrs, rankB: packed ? 2 : (b as Tensor).shape.length })
    return y
  },
  backward(ctx, dY) {
    const { attrs, rankB } = ctx.remembered as { attrs: Attrs; rankB: number }
    const { dz, dGate, dBias } = native.gemmEpilogueBwd(dY, ctx.savedOrNull('z'), ctx.savedOrNull('gate'), {
      ...attrs.epilogue,
      biasGrad: ctx.needs(3),
    })
    for (const name of ['z', 'gate']) ctx.drop(name)
    const d = dz ?? dY
    const dB = ctx.needs(1) ? gradientOfB(ctx.saved.a as Tensor, d, rankB, attrs, ctx.sumOf(1)) : null
    ctx.drop('a')
    return [
      ctx.needs(0) ? gradientOfA(d, ctx.saved.b as Tensor, attrs) : null,
      dB,
      ctx.needs(2) ? (attrs.beta === 1 ? d : native.affine(d, { scale: attrs.beta })) : null,
      dBias,
      dGate,
      ctx.needs(5) ? dY : null,
    ]
  },
})

/**
 * Matrix product with what surrounds it in a layer, in one pass over the result:
 *
 *     z = α·A·B + β·C + bias        y = dropout(act(z) ⊙ gate) + residual
 *
 * @param a (…, M, K) float, at any strides.
 * @param b (…, K, N) with the leading dimensions of a, (K, N) for all of them, or a weight packed beforehand.
 * @returns (…, M, N) in the dtype of a; computed in float32.
 * @throws {ShapeError} if shapes do not fit.
 * @throws {ConfigError} if an option is out of its range.
 * @see Goto and van de Geijn 2008, Anatomy of High-Performance Matrix Multiplication.
 *   https://doi.org/10.1145/1356052.1356053
 */
export function gemm(a: Tensor, b: Tensor | PackedWeight, options: GemmOptions = {}): Tensor {
  const { alpha = 1, beta = 1, transposeA = false, transposeB = false, c = null } = options
  if (b instanceof PackedWeight && transposeB) {
    throw new StateError('gemm: expected transposeB to be given to PackedWeight, got it together with a packed weight')
  }
  const { bias = null, gate = null, residual = null, recompute = false } = options
  const epilogue = epilogueAttrs(options)
  return gemmOp(a, b, c, bias, gate, residual, { alpha, beta, transposeA, transposeB, recompute, epilogue })
}

// Spelled out, here and wherever a model passes options on: spreading objects costs more than all else that a call does in
// JavaScript.
function epilogueAttrs(options: EpilogueOptions): Attrs['epilogue'] {
  const { act = 'none', dropoutP = 0, seed = 0, site = 0, step = 0 } = options
  return { act, dropoutP, seed, site, step }
}

/**
 * A linear layer: dropout(act(x·Wᵀ + bias) ⊙ gate) + residual.
 *
 * @param x (…, K) float.
 * @param weight (N, K), or packed by `new PackedWeight(weight, { transpose: true })`.
 * @returns (…, N)
 * @throws {ShapeError} if shapes do not fit.
 */
export function linear(x: Tensor, weight: Tensor | PackedWeight, options: EpilogueOptions = {}): Tensor {
  const { bias = null, gate = null, residual = null, recompute = false } = options
  const transposeB = weight instanceof Tensor
  const attrs = { alpha: 1, beta: 1, transposeA: false, transposeB, recompute, epilogue: epilogueAttrs(options) }
  return gemmOp(x, weight, null, bias, gate, residual, attrs)
}

/**
 * A weight in the order in which the product reads it, for inference. It gets no gradient, while gradients pass through it to
 * the other operand.
 */
export class PackedWeight extends WeightCopy<{ readonly panels: Tensor }> {
  readonly #source: Tensor

  /**
   * @param weight (K, N) float; with `transpose` (N, K), as linear layers store it.
   * @throws {ShapeError} if it is not a matrix.
   */
  constructor(weight: Tensor, { transpose = false }: { transpose?: boolean } = {}) {
    super(weight, '(K, N)', () => (transpose ? oriented(weight, true) : weight.detach()))
    this.#source = weight
  }

  get k(): number {
    return this.weight.shape[0] as number
  }

  get n(): number {
    return this.weight.shape[1] as number
  }

  /** @internal Up to date with the weight. */
  get packed(): Tensor {
    if (gradEnabled() && this.#source.requiresGrad) {
      throw new StateError(
        'PackedWeight: expected a weight without gradient (use noGrad, or multiply by the tensor itself), got one that requires it',
      )
    }
    return this.copy.panels
  }

  protected make(weight: Tensor) {
    return { panels: native.gemmPack(weight) }
  }
}
