// What the task heads of both families have in common: from hidden states to logits and losses.
import { ConfigError, ShapeError } from '../errors.ts'
import type { PackedRows } from '../nn/index.ts'
import * as ops from '../ops/index.ts'
import { Tensor } from '../tensor.ts'
import type { LabelConfig, ProblemType } from './config.ts'
import { type ArrayInput, expectBelow, floats, type IntegerGrid, integers, packed } from './inputs.ts'

/** Label of a token that does not count. */
export const ignored = -100

/** A loss with the logits that it is of. */
export interface ClassifierOutput {
  /** () float32, mean over what counts; null without labels. */
  readonly loss: Tensor | null
  /** Before softmax or sigmoid. */
  readonly logits: Tensor
}

function isNested(labels: ArrayInput): boolean {
  return 'shape' in labels ? labels.shape.length > 1 : Array.isArray(labels[0])
}

/** What kind of problem labels are of, where the configuration does not say. */
function problemOf({ problemType, numLabels }: LabelConfig, labels: ArrayInput): ProblemType {
  if (problemType) return problemType
  if (numLabels === 1) return 'regression'
  return isNested(labels) ? 'multi_label_classification' : 'single_label_classification'
}

/**
 * Loss of one prediction a sequence: squared error, cross-entropy, or binary cross-entropy of each label.
 *
 * @param logits (B, numLabels).
 * @param labels (B) class numbers, (B, numLabels) of 0 and 1, or (B) or (B, numLabels) numbers to regress to.
 */
export function sequenceLoss(op: string, config: LabelConfig, logits: Tensor, labels: ArrayInput): Tensor {
  const [batch, numLabels] = logits.shape as [number, number]
  const problem = problemOf(config, labels)
  if (problem === 'single_label_classification') {
    const classes = integers(op, 'labels', labels, [batch])
    expectBelow(op, 'labels', classes, numLabels, ignored)
    return ops.crossEntropy(logits, Tensor.from(classes.data))
  }
  const single = problem === 'regression' && numLabels === 1 && !isNested(labels)
  const { data } = floats(op, 'labels', labels, single ? [batch] : [batch, numLabels])
  const targets = Tensor.from(data, { shape: [batch, numLabels] })
  if (problem === 'multi_label_classification') return ops.bceWithLogits(logits, targets)
  return ops.mean(ops.square(ops.sub(logits, targets)))
}

/**
 * Loss of one class a token.
 *
 * @param logits (N, numLabels), packed.
 * @param labels (B, T).
 * @param index (N) place of each row in them.
 */
export function tokenLoss(logits: Tensor, labels: IntegerGrid, index: Int32Array): Tensor {
  return ops.crossEntropy(logits, Tensor.from(packed(labels.data, index)))
}

/** Checks one label a token: (B, T) in [0, limit), or −100. */
export function tokenLabels(op: string, labels: ArrayInput, shape: readonly number[], limit: number): IntegerGrid {
  const grid = integers(op, 'labels', labels, shape)
  expectBelow(op, 'labels', grid, limit, ignored)
  return grid
}

export interface SpanInputs {
  /** (B) where answers begin and end; places outside the sequence do not count. */
  readonly startPositions?: ArrayInput
  readonly endPositions?: ArrayInput
  /** Gives masked positions logits, too, which the loss reads; without, they have zeros and cost nothing. @default true */
  readonly outputMasked?: boolean
}

export interface SpanOutput {
  /** () float32, mean of the losses of start and end; null unless both positions are given. */
  readonly loss: Tensor | null
  /** (B, T) each. */
  readonly startLogits: Tensor
  readonly endLogits: Tensor
}

/**
 * Extractive answers: softmax over all positions of a sequence, the masked ones included.
 *
 * @param logits (N, 2), packed.
 */
export function spanOutput(op: string, logits: Tensor, rows: PackedRows, inputs: SpanInputs): SpanOutput {
  const { batch, maxLength: length } = rows.packing
  const [startLogits, endLogits] = [0, 1].map((column) =>
    rows.unpack(ops.contiguous(ops.select(logits, 1, column))),
  ) as [Tensor, Tensor]
  const { startPositions, endPositions, outputMasked = true } = inputs
  if ((startPositions === undefined) !== (endPositions === undefined)) {
    throw new ShapeError(`${op}: expected both startPositions and endPositions, or neither, got one`)
  }
  if (!startPositions || !endPositions) return { loss: null, startLogits, endLogits }
  if (!outputMasked) throw new ConfigError(`${op}: expected outputMasked with startPositions, got false`)
  const lossOf = (scores: Tensor, name: string, positions: ArrayInput) => {
    const clamped = integers(op, name, positions, [batch]).data.map((at) => Math.max(0, Math.min(length, at)))
    return ops.crossEntropy(scores, Tensor.from(clamped), { ignoreIndex: length })
  }
  const start = lossOf(startLogits, 'startPositions', startPositions)
  const end = lossOf(endLogits, 'endPositions', endPositions)
  return { loss: ops.scale(ops.add(start, end), 0.5), startLogits, endLogits }
}
