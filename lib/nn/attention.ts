import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import { attentionMap } from './attention-map.ts'
import { Dropout, type DropoutBroadcast, type Pass } from './dropout.ts'
import { Linear, LinearGroup } from './linear.ts'
import type { AttentionRows, PackedRows } from './packed-rows.ts'
import type { Init, ParameterBuilder } from './parameters.ts'
import type { RelativePositionRule } from './relative-position.ts'

export interface AttentionConfig {
  readonly dModel: number
  readonly numHeads: number
  /** Size of a head; numHeads · headDim may differ from dModel. */
  readonly headDim: number
  /** Factor of the scores: 1 in T5, whose initialisation holds it; 1/√headDim in ELECTRA. */
  readonly scale: number
  /** Whether the four projections have biases. */
  readonly bias: boolean
  readonly inits: { readonly q: Init; readonly k: Init; readonly v: Init; readonly o: Init }
  /** Of softmax probabilities. */
  readonly attentionDropout: number
  /** Of the result, before it is added to the residual. */
  readonly outputDropout: number
  readonly dropoutBroadcast: DropoutBroadcast
}

/** T5's relative position bias: a table, and the rule that looks it up. */
export interface PositionBias {
  readonly table: Tensor
  readonly rule: RelativePositionRule
}

/** What an attention layer reads beside its input. */
export interface AttentionContext {
  readonly rows: PackedRows
  readonly pass: Pass
  /** @default false */
  readonly causal?: boolean
  readonly bias?: PositionBias | null
  /** Where the layer puts its attention map, when it is asked for. */
  readonly maps?: Tensor[] | null
}

/** Keys and values, each (Nk, H, D), and the batch that they are of. */
export interface KeysAndValues {
  readonly k: Tensor
  readonly v: Tensor
  readonly rows: PackedRows
}

/** What self- and cross-attention share: from projected heads to the layer's result. */
class AttentionCore {
  readonly #config: AttentionConfig
  readonly #output: Linear
  readonly #weightDropout: Dropout
  readonly #outputDropout: Dropout

  constructor(build: ParameterBuilder, config: AttentionConfig) {
    const { dModel, numHeads, headDim, bias, inits, dropoutBroadcast } = config
    this.#config = config
    this.#output = new Linear(build.at('o'), { inputs: numHeads * headDim, outputs: dModel, init: inits.o, bias })
    this.#weightDropout = new Dropout(config.attentionDropout, build.site(), dropoutBroadcast)
    this.#outputDropout = new Dropout(config.outputDropout, build.site(), dropoutBroadcast)
  }

  /** (N, parts · H · D) as one (N, H, D) for each part: views. */
  heads(projected: Tensor, parts: number): Tensor[] {
    const { numHeads, headDim } = this.#config
    const heads = ops.reshape(projected, [projected.shape[0] as number, parts * numHeads, headDim])
    return parts === 1 ? [heads] : ops.split(heads, new Array<number>(parts).fill(numHeads), 1)
  }

  /** @returns (Nq, H · D). */
  attend(q: Tensor, keys: KeysAndValues, attending: AttentionRows, context: AttentionContext): Tensor {
    const { scale } = this.#config
    const { pass, causal = false, bias = null } = context
    // Another mask drops from the values, before they come here.
    const drops = this.#weightDropout.broadcast === 'none'
    const { dropoutP, seed, site, step } = this.#weightDropout.options(pass)
    const result = ops.attention(q, keys.k, this.#droppedValues(keys.v, pass), {
      cuSeqlens: attending.cuSeqlens,
      keyCuSeqlens: attending.keyCuSeqlens,
      positions: attending.positions,
      keyPositions: attending.keyPositions,
      scale,
      causal,
      biasTable: bias?.table ?? null,
      bidirectional: bias?.rule.bidirectional ?? true,
      maxDistance: bias?.rule.maxDistance ?? 128,
      dropoutP: drops ? dropoutP : 0,
      seed,
      site,
      step,
    })
    context.maps?.push(attentionMap(q, keys, { rows: context.rows, scale, causal, bias }))
    return ops.reshape(result, [result.shape[0] as number, -1])
  }

  /** residual + dropout(o·W + b). */
  finish(o: Tensor, residual: Tensor, { rows, pass }: AttentionContext): Tensor {
    return this.#outputDropout.addTo(residual, (epilogue) => this.#output.forward(o, epilogue), rows.packing, pass)
  }

  // A mask that all queries share drops whole values: Σ p·z·v = Σ p·(z·v).
  #droppedValues(v: Tensor, pass: Pass): Tensor {
    if (this.#weightDropout.broadcast === 'none' || !this.#weightDropout.active(pass)) return v
    const [rows, heads] = v.shape as [number, number]
    const mask = ops.dropout(Tensor.ones([rows, heads], { dtype: v.dtype }), this.#weightDropout.options(pass))
    return ops.mul(v, ops.reshape(mask, [rows, heads, 1]))
  }
}

/** Attention of rows among themselves. */
export class SelfAttention {
  readonly #projection: LinearGroup
  readonly #core: AttentionCore

  constructor(build: ParameterBuilder, config: AttentionConfig) {
    const { dModel, numHeads, headDim, bias, inits } = config
    this.#projection = new LinearGroup(build, ['q', 'k', 'v'], {
      inputs: dModel,
      outputs: numHeads * headDim,
      inits: [inits.q, inits.k, inits.v],
      bias,
    })
    this.#core = new AttentionCore(build, config)
  }

  /**
   * @param x (N, dModel), the layer's input.
   * @param residual (N, dModel), what its result is added to.
   */
  forward(x: Tensor, residual: Tensor, context: AttentionContext): Tensor {
    const { rows } = context
    const { q, k, v } = this.project(x)
    const o = this.#core.attend(q, { k: rows.keysOf(k), v: rows.keysOf(v), rows }, rows.self, context)
    return this.finish(o, residual, context)
  }

  /** Queries, keys and values of all rows, each (N, H, D): views of one product. */
  project(x: Tensor): { q: Tensor; k: Tensor; v: Tensor } {
    const [q, k, v] = this.#core.heads(this.#projection.forward(x), 3) as [Tensor, Tensor, Tensor]
    return { q, k, v }
  }

  /** @param o (N, H · D), what attention gave. @returns residual + dropout(output projection of o). */
  finish(o: Tensor, residual: Tensor, context: AttentionContext): Tensor {
    return this.#core.finish(o, residual, context)
  }
}

/** Attention of a decoder's rows to an encoder's. */
export class CrossAttention {
  readonly #queries: LinearGroup
  readonly #keysAndValues: LinearGroup
  readonly #core: AttentionCore

  constructor(build: ParameterBuilder, config: AttentionConfig) {
    const { dModel, numHeads, headDim, bias, inits } = config
    const size = { inputs: dModel, outputs: numHeads * headDim, bias }
    this.#queries = new LinearGroup(build, ['q'], { ...size, inits: [inits.q] })
    this.#keysAndValues = new LinearGroup(build, ['k', 'v'], { ...size, inits: [inits.k, inits.v] })
    this.#core = new AttentionCore(build, config)
  }

  /**
   * @param x (N, dModel), the layer's input.
   * @param residual (N, dModel), what its result is added to.
   * @param encoded of all rows that are keys, from `projectKeys`.
   */
  forward(x: Tensor, residual: Tensor, encoded: KeysAndValues, context: AttentionContext): Tensor {
    const o = this.#core.attend(this.project(x), encoded, context.rows.to(encoded.rows), context)
    return this.finish(o, residual, context)
  }

  /** Queries (N, H, D). */
  project(x: Tensor): Tensor {
    return this.#core.heads(this.#queries.forward(x), 1)[0] as Tensor
  }

  /** Keys and values of an encoder's result (N, dModel): computed once, whatever number of steps reads them. */
  projectKeys(encoded: Tensor, rows: PackedRows): KeysAndValues {
    const [k, v] = this.#core.heads(this.#keysAndValues.forward(rows.keysOf(encoded)), 2) as [Tensor, Tensor]
    return { k, v, rows }
  }

  /** @param o (N, H · D), what attention gave. @returns residual + dropout(output projection of o). */
  finish(o: Tensor, residual: Tensor, context: AttentionContext): Tensor {
    return this.#core.finish(o, residual, context)
  }
}
