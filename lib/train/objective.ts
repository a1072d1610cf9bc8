import { ConfigError, StateError } from '../errors.ts'
import {
  type ArrayInput,
  type ElectraForJointPreTraining,
  type ElectraForMaskedLM,
  ElectraForPreTraining,
  type ElectraJointInputs,
  type FlatArray,
  type RandomState,
  type SavePretrainedOptions,
  T5ForConditionalGeneration,
} from '../models/index.ts'
import type { ComputeDType } from '../nn/index.ts'
import type { Tensor } from '../tensor.ts'

/** What is trained: all models are, and so is generator and discriminator as one. */
export interface Trainable {
  readonly training: boolean
  gradientCheckpointing: boolean
  /** What it computes in: 'float16' trains with a loss scale. */
  readonly computeDtype: ComputeDType
  train(mode?: boolean): unknown
  setRandom(random: RandomState): void
  namedParameters(): Map<string, Tensor>
  savePretrained(dir: string, options?: SavePretrainedOptions): Promise<void>
}

/**
 * What a model is trained for: a loss of one or more terms, each a mean over targets. With the numbers of targets known,
 * micro-batches add up to exactly what their whole would give.
 */
export interface Objective<B> {
  readonly model: Trainable
  /** Factor of each term in the loss. */
  readonly terms: Readonly<Record<string, number>>
  /** How many targets the mean of each term is over. */
  targets(batch: B): Readonly<Record<string, number>>
  /** Real tokens that are read, those of a decoder included: what speed is measured in. */
  tokens(batch: B): number
  /** () float32 for each term. */
  losses(batch: B): Readonly<Record<string, Tensor>>
}

const ignored = -100

/** The values of an input, flat. */
function valuesOf(input: ArrayInput): ArrayLike<number | bigint> {
  if ('shape' in input) return input.data
  return Array.isArray(input) ? (input.flat(Infinity) as number[]) : (input as FlatArray)
}

function count(input: ArrayInput, counts: (value: number) => boolean): number {
  let n = 0
  const values = valuesOf(input)
  for (let i = 0; i < values.length; i++) if (counts(Number(values[i]))) n++
  return n
}

const isTarget = (label: number) => label !== ignored
const isReal = (mask: number) => mask !== 0

/** Real tokens of a batch. */
function realTokens({
  inputIds,
  attentionMask,
}: {
  inputIds: ArrayInput
  attentionMask?: ArrayInput | undefined
}): number {
  return attentionMask ? count(attentionMask, isReal) : valuesOf(inputIds).length
}

/** Labels of a batch, as far as inputs of models have them. */
export interface LabelledInputs {
  readonly inputIds?: ArrayInput
  readonly attentionMask?: ArrayInput | undefined
  readonly labels?: ArrayInput
  readonly startPositions?: ArrayInput
}

/** A model with a loss of its own: T5, or ELECTRA with any head. */
export interface ModelWithLoss<B> extends Trainable {
  forward(inputs: B): { readonly loss: Tensor | null }
}

/**
 * Trains a model for the loss that it gives for labels. Targets are labels other than −100; for the discriminator, which
 * judges every token, the real tokens; for answers in a text, the texts.
 */
export function lossObjective<B extends LabelledInputs>(model: ModelWithLoss<B>): Objective<B> {
  return {
    model,
    terms: { loss: 1 },
    targets: (batch) => ({ loss: targetsOf(model, batch) }),
    tokens: ({ inputIds, attentionMask, labels }) =>
      (inputIds ? realTokens({ inputIds, attentionMask }) : 0) +
      (labels && model instanceof T5ForConditionalGeneration ? count(labels, isTarget) : 0),
    losses(batch) {
      const { loss } = model.forward(batch)
      if (!loss) throw new ConfigError('lossObjective: expected batches with labels, got none')
      return { loss }
    },
  }
}

function targetsOf(model: Trainable, { inputIds, attentionMask, labels, startPositions }: LabelledInputs): number {
  if (labels && inputIds && model instanceof ElectraForPreTraining) return realTokens({ inputIds, attentionMask })
  if (labels) return count(labels, isTarget)
  if (startPositions) return valuesOf(startPositions).length
  throw new ConfigError('lossObjective: expected batches with labels or startPositions, got neither')
}

/** Trains generator and discriminator together: genWeight · mlm + discWeight · rtd. */
export function jointObjective(model: ElectraForJointPreTraining): Objective<ElectraJointInputs> {
  return {
    model,
    terms: { mlm: model.genWeight, rtd: model.discWeight },
    targets: (batch) => ({ mlm: count(batch.labels, isTarget), rtd: realTokens(batch) }),
    tokens: realTokens,
    losses(batch) {
      const { mlmLoss, rtdLoss } = model.forward(batch)
      return { mlm: mlmLoss, rtd: rtdLoss }
    },
  }
}

/** Trains a masked-language model on the batches of a joint model: it reads the masked ids, and predicts their originals. */
export function maskedObjective(model: ElectraForMaskedLM): Objective<ElectraJointInputs> {
  return {
    model,
    terms: { mlm: 1 },
    targets: (batch) => ({ mlm: count(batch.labels, isTarget) }),
    tokens: realTokens,
    losses: (batch) => ({ mlm: maskedLoss(model, batch) }),
  }
}

function maskedLoss(model: ElectraForMaskedLM, batch: ElectraJointInputs): Tensor {
  const { maskedInputIds, labels, attentionMask, tokenTypeIds } = batch
  const { loss } = model.forward({
    inputIds: maskedInputIds,
    labels,
    ...(attentionMask && { attentionMask }),
    ...(tokenTypeIds && { tokenTypeIds }),
  })
  if (!loss) throw new StateError('maskedObjective: expected a loss, got none')
  return loss
}

/**
 * The first of two stages: the generator alone learns to fill masked tokens in.
 *
 * @throws {ConfigError} without a generator.
 */
export function generatorObjective(model: ElectraForJointPreTraining): Objective<ElectraJointInputs> {
  const { generator } = model
  if (!generator) throw new ConfigError('generatorObjective: expected a model with a generator, got one without')
  return {
    model,
    terms: { mlm: 1 },
    targets: (batch) => ({ mlm: count(batch.labels, isTarget) }),
    tokens: realTokens,
    losses: (batch) => ({ mlm: maskedLoss(generator, batch) }),
  }
}

/** The second stage: the discriminator alone learns, on what the generator, which is frozen, draws. */
export function discriminatorObjective(model: ElectraForJointPreTraining): Objective<ElectraJointInputs> {
  return {
    model,
    terms: { rtd: 1 },
    targets: (batch) => ({ rtd: realTokens(batch) }),
    tokens: realTokens,
    losses: (batch) => ({ rtd: model.forward(batch).rtdLoss }),
  }
}
