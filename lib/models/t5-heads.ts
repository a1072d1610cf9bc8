import { DataError } from '../errors.ts'
import { Dropout, Linear, normal } from '../nn/index.ts'
import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import {
  type ClassifierOutput,
  ignored,
  type SpanInputs,
  type SpanOutput,
  sequenceLoss,
  spanOutput,
  tokenLabels,
  tokenLoss,
} from './heads.ts'
import { type ArrayInput, type IntegerGrid, idsOf, maskOf } from './inputs.ts'
import type { ModelOptions } from './model.ts'
import {
  type OutputOptions,
  rowsOf,
  seenBy,
  shiftRight,
  type T5EncoderInputs,
  T5Model,
  type T5Seen,
  T5Trunk,
} from './t5.ts'
import type { T5Config } from './t5-config.ts'

export interface T5ClassifierInputs extends T5EncoderInputs, OutputOptions {
  /** Of each sequence: (B) classes or numbers, (B, numLabels) for several labels or numbers at once. */
  readonly labels?: ArrayInput
}

/**
 * One prediction a sequence, read from the decoder at the last end-of-sequence token of the source, which the decoder reads
 * as well, shifted right.
 */
export class T5ForSequenceClassification extends T5Model {
  static override readonly head = /^classificationHead\./
  readonly trunk: T5Trunk
  readonly #dense: Linear
  readonly #out: Linear
  readonly #dropouts: readonly [Dropout, Dropout]

  constructor(config: T5Config, options?: ModelOptions) {
    super(config, options)
    const { dModel, numLabels, classifierDropout, initializerFactor } = config
    const init = normal(initializerFactor * dModel ** -0.5)
    const head = this.build.at('classificationHead')
    this.trunk = new T5Trunk(this.build.at('transformer'), config, { withDecoder: true })
    this.#dense = new Linear(head.at('dense'), { inputs: dModel, outputs: dModel, init, bias: true })
    this.#out = new Linear(head.at('outProj'), { inputs: dModel, outputs: numLabels, init, bias: true })
    this.#dropouts = [0, 1].map(() => new Dropout(classifierDropout, this.build.site(), 'none')) as [Dropout, Dropout]
  }

  /**
   * @returns logits (B, numLabels).
   * @throws {DataError} unless all sequences have as many end-of-sequence tokens, at least one.
   */
  forward(inputs: T5ClassifierInputs): ClassifierOutput & T5Seen {
    const op = this.constructor.name
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const encoded = this.trunk.encode(op, inputs, run)
      const ids = idsOf(op, inputs)
      const rows = rowsOf(ids, upToLastEnd(op, ids, this.config.eosTokenId))
      const ends = rows.packing.cuSeqlens.slice(1).map((next) => next - 1)
      const decoded = { rows, ...this.trunk.decode(shiftRight(ids, this.config), rows, encoded, run) }
      const [before, after] = this.#dropouts
      const sentence = before.forward(ops.gatherRows(decoded.hidden, Tensor.from(ends)), rows.packing, run.pass)
      const dense = after.forward(ops.tanh(this.#dense.forward(sentence)), rows.packing, run.pass)
      const logits = this.#out.forward(dense)
      return {
        loss: inputs.labels ? sequenceLoss(op, this.config, logits, inputs.labels) : null,
        logits,
        ...seenBy(encoded, decoded),
      }
    })
  }
}

/** Mask of the decoder: 1 up to the last end-of-sequence token of each sequence, which sees none of what follows. */
function upToLastEnd(op: string, { data, shape }: IntegerGrid, eos: number): Int32Array {
  const [batch, length] = shape as [number, number]
  const counts = new Set<number>()
  const mask = new Int32Array(data.length)
  for (let b = 0; b < batch; b++) {
    const row = data.subarray(b * length, (b + 1) * length)
    counts.add(row.filter((id) => id === eos).length)
    mask.fill(1, b * length, b * length + row.lastIndexOf(eos) + 1)
  }
  if (counts.size === 1 && !counts.has(0)) return mask
  throw new DataError(
    `${op}: expected as many end-of-sequence tokens (${eos}) in each sequence, at least one, got ${[...counts].join(', ')}`,
  )
}

export interface T5TokenInputs extends T5EncoderInputs {
  /** (B, T) classes; −100 does not count. */
  readonly labels?: ArrayInput
}

/** One class a token of the source, read from the encoder. */
export class T5ForTokenClassification extends T5Model {
  static override readonly head = /^classifier\./
  readonly trunk: T5Trunk
  readonly #classifier: Linear
  readonly #dropout: Dropout

  constructor(config: T5Config, options?: ModelOptions) {
    super(config, options)
    const { dModel, numLabels, classifierDropout, initializerFactor } = config
    this.trunk = new T5Trunk(this.build.at('transformer'), config, { withDecoder: false })
    const size = { inputs: dModel, outputs: numLabels, init: normal(initializerFactor), bias: true }
    this.#classifier = new Linear(this.build.at('classifier'), size)
    this.#dropout = new Dropout(classifierDropout, this.build.site(), 'none')
  }

  /** @returns logits (B, T, numLabels); zeros where attentionMask is 0 and there is no label. */
  forward(inputs: T5TokenInputs): ClassifierOutput {
    const op = this.constructor.name
    const run = this.nextRun({})
    return this.scope(() => {
      const { shape } = idsOf(op, inputs)
      const labels = inputs.labels ? tokenLabels(op, inputs.labels, shape, this.config.numLabels) : null
      const keeps = (i: number) => labels !== null && labels.data[i] !== ignored
      const { rows, hidden } = this.trunk.encode(op, inputs, run, keeps)
      const logits = this.#classifier.forward(this.#dropout.forward(hidden, rows.packing, run.pass))
      return { loss: labels && tokenLoss(logits, labels, rows.packing.index), logits: rows.unpack(logits) }
    })
  }
}

/** Where in the source the answer stands, read from the decoder, which reads the source as well, shifted right. */
export class T5ForQuestionAnswering extends T5Model {
  static override readonly head = /^qaOutputs\./
  readonly trunk: T5Trunk
  readonly #outputs: Linear

  constructor(config: T5Config, options?: ModelOptions) {
    super(config, options)
    const { dModel, initializerFactor } = config
    this.trunk = new T5Trunk(this.build, config, { withDecoder: true })
    const init = normal(initializerFactor * dModel ** -0.5)
    this.#outputs = new Linear(this.build.at('qaOutputs'), { inputs: dModel, outputs: 2, init, bias: true })
  }

  forward(inputs: T5EncoderInputs & OutputOptions & SpanInputs): SpanOutput & T5Seen {
    const op = this.constructor.name
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const encoded = this.trunk.encode(op, inputs, run)
      const ids = idsOf(op, inputs)
      const { attentionMask, outputMasked = true } = inputs
      const rows = rowsOf(ids, maskOf(op, 'attentionMask', outputMasked ? undefined : attentionMask, ids.shape))
      const decoded = { rows, ...this.trunk.decode(shiftRight(ids, this.config), rows, encoded, run) }
      const span = spanOutput(op, this.#outputs.forward(decoded.hidden), rows, inputs)
      return { ...span, ...seenBy(encoded, decoded) }
    })
  }
}
