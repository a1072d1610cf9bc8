import { join } from 'node:path'
import { gradEnabled } from '../autograd/grad-mode.ts'
import { type DeviceName, withDevice } from '../device.ts'
import { DataError, ShapeError } from '../errors.ts'
import type { ComputeDType } from '../nn/index.ts'
import * as ops from '../ops/index.ts'
import { scope } from '../scope.ts'
import { Tensor } from '../tensor.ts'
import {
  ElectraForMaskedLM,
  ElectraForPreTraining,
  type ElectraInputs,
  type ElectraOptions,
  type ElectraRun,
} from './electra.ts'
import type { ElectraConfig } from './electra-config.ts'
import { ignored, tokenLabels } from './heads.ts'
import { type ArrayInput, expectBelow, integers, packed } from './inputs.ts'
import { load, type PretrainedOptions, type RandomState, type SavePretrainedOptions } from './model.ts'

/**
 * What generator and discriminator have in common: nothing; the word and position tables; all embeddings with their norm,
 * as published; or all layers, for networks of equal size.
 */
export type ElectraSharing = 'none' | 'wordAndPosition' | 'embeddings' | 'all'

export interface ElectraJointOptions {
  /** @default 'embeddings' */
  readonly sharing?: ElectraSharing
  /** Factor of the discriminator's loss. @default 50 */
  readonly discWeight?: number
  /** Factor of the generator's loss. @default 1 */
  readonly genWeight?: number
  /** Of the initial parameters. @default 0 */
  readonly seed?: number
  /** Where both networks compute. @default the default device */
  readonly device?: DeviceName | 'auto'
}

export interface ElectraJointLoadOptions extends ElectraJointOptions, PretrainedOptions {
  /** Loads the discriminator alone: random tokens instead of a generator's. @default false */
  readonly uniformGenerator?: boolean
}

export interface ElectraJointInputs extends Omit<ElectraInputs, 'outputHiddenStates' | 'outputAttentions'> {
  /** (B, T) the original ids. */
  readonly inputIds: ArrayInput
  /** (B, T) what the generator reads: some of them masked. Without a generator, of no effect. */
  readonly maskedInputIds: ArrayInput
  /** (B, T) original ids where the generator is to predict, those left unmasked included; −100 elsewhere. */
  readonly labels: ArrayInput
  /** (B, T) what the discriminator reads. @default drawn from the generator, or without one uniformly from all tokens */
  readonly replacedInputIds?: ArrayInput
  /** The generator's logits are divided by it before a token is drawn. @default 1 */
  readonly temperature?: number
  /** Never draw the original token. @default false */
  readonly disallowCorrect?: boolean
  /** Gives the logits of the networks. @default false */
  readonly outputLogits?: boolean
}

export interface ElectraJointOutput {
  /** () genWeight · mlmLoss + discWeight · rtdLoss. */
  readonly loss: Tensor
  /** () mean over the labels, in nats; without a generator ln(vocabSize), that of a uniform guess. */
  readonly mlmLoss: Tensor
  /** () mean over the real tokens, in nats. */
  readonly rtdLoss: Tensor
  /** (N) int32, packed: what the discriminator read. */
  readonly corruptedIds: Tensor
  /** (N) uint8, packed: 1 where that differs from the original. */
  readonly isReplaced: Tensor
  /** (B, T, vocabSize); null without a generator. */
  readonly mlmLogits: Tensor | null
  /** (B, T). */
  readonly rtdLogits: Tensor | null
}

/**
 * ELECTRA's pre-training: a generator fills masked tokens in, a discriminator tells which were replaced. No gradient flows
 * from the discriminator through the drawn tokens.
 *
 * @see Clark et al. 2020, section 3.1. https://arxiv.org/abs/2003.10555
 */
export class ElectraForJointPreTraining {
  /** Null where tokens are replaced by random ones, without a network. */
  readonly generator: ElectraForMaskedLM | null
  readonly discriminator: ElectraForPreTraining
  /** Factors of the two losses. */
  readonly discWeight: number
  readonly genWeight: number
  readonly #samplingSite: number
  #random: RandomState = { seed: 0, step: 0 }

  /** @internal Use `fromConfigs` or `fromPretrained`. */
  constructor(
    generator: ElectraForMaskedLM | null,
    discriminator: ElectraForPreTraining,
    { discWeight = 50, genWeight = 1 }: ElectraJointOptions = {},
  ) {
    this.generator = generator
    this.discriminator = discriminator
    this.discWeight = discWeight
    this.genWeight = genWeight
    this.#samplingSite = (generator ?? discriminator).nextSite
  }

  /**
   * New networks.
   *
   * @param generator null: random tokens instead.
   * @throws {ShapeError} where sizes differ that `sharing` makes one.
   */
  static fromConfigs(
    generator: ElectraConfig | null,
    discriminator: ElectraConfig,
    options: ElectraJointOptions = {},
  ): ElectraForJointPreTraining {
    const { sharing = 'embeddings', seed = 0 } = options
    if (generator) expectShareable(generator, discriminator, sharing)
    const where = options.device === undefined ? {} : { device: options.device }
    const second = new ElectraForPreTraining(discriminator, { seed, ...where })
    if (!generator) return new ElectraForJointPreTraining(null, second, options)
    const first = new ElectraForMaskedLM(generator, {
      ...sharedWith(second, sharing),
      ...where,
      seed: seed + 1,
      firstSite: second.nextSite,
    })
    return new ElectraForJointPreTraining(first, second, options)
  }

  /**
   * Loads `<folder>/generator` and `<folder>/discriminator`.
   *
   * @throws {CheckpointError} if what they have in common differs in the two; else as `fromPretrained` of models.
   */
  static async fromPretrained(
    folder: string,
    { sharing = 'embeddings', uniformGenerator = false, ...options }: ElectraJointLoadOptions = {},
  ): Promise<ElectraForJointPreTraining> {
    const discriminator = await ElectraForPreTraining.fromPretrained(join(folder, 'discriminator'), options)
    if (uniformGenerator) return new ElectraForJointPreTraining(null, discriminator, options)
    const shared = sharedWith(discriminator, sharing)
    try {
      const generator = await load(ElectraForMaskedLM, join(folder, 'generator'), options, {
        make(config: ElectraConfig, own: ElectraOptions) {
          expectShareable(config, discriminator.config, sharing)
          return new ElectraForMaskedLM(config, { ...own, ...shared })
        },
        firstSite: discriminator.nextSite,
        shared: shared.sharedParameters ?? new Map(),
      })
      return new ElectraForJointPreTraining(generator, discriminator, options)
    } catch (error) {
      discriminator.dispose()
      throw error
    }
  }

  /**
   * Saves `<dir>/discriminator` and, where there is one, `<dir>/generator`, each a whole model.
   *
   * @throws as `savePretrained` of models.
   */
  async savePretrained(dir: string, options: SavePretrainedOptions = {}): Promise<void> {
    await this.discriminator.savePretrained(join(dir, 'discriminator'), options)
    await this.generator?.savePretrained(join(dir, 'generator'), options)
  }

  train(mode = true): this {
    this.generator?.train(mode)
    this.discriminator.train(mode)
    return this
  }

  eval(): this {
    return this.train(false)
  }

  /** Whether dropout is on. */
  get training(): boolean {
    return this.discriminator.training
  }

  /** What both networks compute in, as models have it. */
  get computeDtype(): ComputeDType {
    return this.discriminator.computeDtype
  }

  set computeDtype(dtype: ComputeDType) {
    if (this.generator) this.generator.computeDtype = dtype
    this.discriminator.computeDtype = dtype
  }

  /**
   * Whether the blocks of both networks are computed again in backward: see `PreTrainedModel`. Those of a generator at most
   * half as wide as the discriminator always are: 2 to 3 % of a step's time, for 5 to 9 % of its memory.
   */
  get gradientCheckpointing(): boolean {
    return this.discriminator.gradientCheckpointing
  }

  set gradientCheckpointing(wanted: boolean) {
    if (this.generator) this.generator.gradientCheckpointing = wanted
    this.discriminator.gradientCheckpointing = wanted
  }

  /** Sets where dropout and sampling draw from in the next step; those after that take the steps that follow. */
  setRandom({ seed, step }: RandomState): void {
    this.#random = { seed, step }
  }

  /** All parameters, `discriminator.…` and `generator.…`; shared ones are the discriminator's. */
  namedParameters(): Map<string, Tensor> {
    const named = (prefix: string, model: ElectraForMaskedLM | ElectraForPreTraining | null) =>
      [...(model?.namedParameters() ?? [])].map(([name, tensor]) => [`${prefix}.${name}`, tensor] as const)
    return new Map([...named('discriminator', this.discriminator), ...named('generator', this.generator)])
  }

  dispose(): void {
    this.generator?.dispose()
    this.discriminator.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  forward(inputs: ElectraJointInputs): ElectraJointOutput {
    const random = { ...this.#random }
    this.#random.step++
    return withDevice(this.discriminator.device, () => scope(() => this.#step(inputs, random)))
  }

  #step(inputs: ElectraJointInputs, random: RandomState): ElectraJointOutput {
    const op = this.constructor.name
    const { generator, discriminator } = this
    const reader = generator ?? discriminator
    const { vocabSize } = reader.config
    const original = integers(op, 'inputIds', inputs.inputIds, ['batch', 'length'])
    expectBelow(op, 'inputIds', original, vocabSize)
    const labels = tokenLabels(op, inputs.labels, original.shape, vocabSize)
    integers(op, 'maskedInputIds', inputs.maskedInputIds, original.shape)
    const batch = reader.trunk.pack(op, { ...inputs, inputIds: inputs.maskedInputIds }, () => false)
    const { index } = batch.rows.packing
    const targets = packed(labels.data, index)
    const originalIds = packed(original.data, index)
    const selected = Int32Array.from(targets.keys()).filter((row) => targets[row] !== ignored)
    expectOriginals(op, selected, targets, originalIds)

    const hidden = generator?.trunk.forward(batch, this.#run(generator, random)).hidden ?? null
    const predicted = generator && hidden && generator.predict(ops.gatherRows(hidden, Tensor.from(selected)))
    const at = { predicted, originalIds, selected, index, random }
    const fakes = inputs.replacedInputIds ? this.#givenFakes(op, inputs, at) : this.#drawnFakes(inputs, at)
    const judged = discriminator.trunk.forward({ ...batch, ids: fakes.corruptedIds }, this.#run(discriminator, random))
    const rtdLogits = discriminator.logits(judged.hidden)
    const rtdLoss = ops.rtdLoss(rtdLogits, fakes.isReplaced)
    return {
      loss: ops.add(ops.scale(fakes.loss, this.genWeight), ops.scale(rtdLoss, this.discWeight)),
      mlmLoss: fakes.loss,
      rtdLoss,
      corruptedIds: fakes.corruptedIds,
      isReplaced: fakes.isReplaced,
      mlmLogits:
        inputs.outputLogits && generator && hidden
          ? batch.rows.unpack(generator.logits(generator.predict(hidden)))
          : null,
      rtdLogits: inputs.outputLogits ? batch.rows.unpack(rtdLogits) : null,
    }
  }

  /** The generator's loss, and tokens that are drawn for the discriminator to read. */
  #drawnFakes(inputs: ElectraJointInputs, { predicted, originalIds, selected, random }: FakesContext): Fakes {
    const { temperature = 1, disallowCorrect = false } = inputs
    const drawing = { ...random, site: this.#samplingSite, temperature, disallowCorrect }
    const [original, positions] = [Tensor.from(originalIds), Tensor.from(selected)]
    if (this.generator && predicted) {
      const { x, weight } = this.generator.output(predicted)
      const { outputBias } = this.generator
      if (!keepsLogits(x)) return ops.generatorObjective(x, weight, outputBias, original, positions, drawing)
      const logits = ops.linear(x, weight, { bias: outputBias })
      const loss = ops.crossEntropy(logits, Tensor.from(packed(originalIds, selected)))
      return { loss, ...ops.replaceTokens(logits, original, positions, drawing) }
    }
    const { vocabSize } = this.discriminator.config
    // One row for all: the same logit for every token.
    const logits = Tensor.zeros([vocabSize]).view([selected.length, vocabSize], [0, 1], 0)
    return { loss: this.#uniformLoss(), ...ops.replaceTokens(logits, original, positions, drawing) }
  }

  /** The generator's loss, and the tokens that the discriminator is given to read. */
  #givenFakes(op: string, inputs: ElectraJointInputs, at: FakesContext): Fakes {
    const { predicted, originalIds, selected, index } = at
    const { shape } = integers(op, 'inputIds', inputs.inputIds, ['batch', 'length'])
    const given = integers(op, 'replacedInputIds', inputs.replacedInputIds, shape)
    expectBelow(op, 'replacedInputIds', given, this.discriminator.config.vocabSize)
    const corrupted = packed(given.data, index)
    const labels = Tensor.from(packed(originalIds, selected))
    const { generator } = this
    return {
      loss: generator && predicted ? generatorLoss(generator, predicted, labels) : this.#uniformLoss(),
      corruptedIds: Tensor.from(corrupted),
      isReplaced: Tensor.from(Uint8Array.from(corrupted, (id, row) => Number(id !== originalIds[row]))),
    }
  }

  #uniformLoss(): Tensor {
    return Tensor.full([], Math.log(this.discriminator.config.vocabSize))
  }

  #run(model: ElectraForMaskedLM | ElectraForPreTraining, random: RandomState): ElectraRun {
    // The generator's backward comes last: what a small one kept until then costs more than computing it again.
    const small = 2 * model.config.hiddenSize <= this.discriminator.config.hiddenSize
    return {
      pass: { training: model.training, ...random },
      checkpointing: model.gradientCheckpointing || small,
      outputHiddenStates: false,
      outputAttentions: false,
    }
  }
}

interface Fakes {
  readonly loss: Tensor
  readonly corruptedIds: Tensor
  readonly isReplaced: Tensor
}

interface FakesContext {
  /** What the generator's output layer reads of the selected rows; null without a generator. */
  readonly predicted: Tensor | null
  readonly originalIds: Int32Array
  readonly selected: Int32Array
  readonly index: Int32Array
  readonly random: RandomState
}

/** What the generator takes from the discriminator. */
function sharedWith(discriminator: ElectraForPreTraining, sharing: ElectraSharing): ElectraOptions {
  if (sharing === 'none') return {}
  const pattern = sharedNames[sharing]
  const sharedParameters = new Map([...discriminator.namedParameters()].filter(([name]) => pattern.test(name)))
  const { trunk } = discriminator
  if (sharing === 'all') return { trunk, sharedParameters }
  const { word, position, tokenType, norm } = trunk.embeddings
  const shared = sharing === 'embeddings' ? { word, position, tokenType, norm } : { word, position }
  return { shared, sharedParameters }
}

/** Names in files of what is in common. */
const sharedNames = {
  wordAndPosition: /^electra\.embeddings\.(word|position)_embeddings\./,
  embeddings: /^electra\.embeddings\./,
  all: /^electra\./,
}

/** @throws {ShapeError} where the networks cannot have that in common. */
function expectShareable(generator: ElectraConfig, discriminator: ElectraConfig, sharing: ElectraSharing): void {
  const tables = ['vocabSize', 'embeddingSize', 'maxPositionEmbeddings', 'typeVocabSize'] as const
  const layers = ['hiddenSize', 'numHiddenLayers', 'numAttentionHeads', 'intermediateSize'] as const
  const names = sharing === 'none' ? (['vocabSize'] as const) : sharing === 'all' ? [...tables, ...layers] : tables
  for (const name of names) {
    if (generator[name] === discriminator[name]) continue
    throw new ShapeError(
      `ElectraForJointPreTraining: expected one ${name} with sharing '${sharing}', got ${generator[name]} and ${discriminator[name]}`,
    )
  }
}

/** The original tokens are the labels: others would make a loss of one thing and samples of another. */
function expectOriginals(op: string, selected: Int32Array, targets: Int32Array, originalIds: Int32Array): void {
  const wrong = selected.find((row) => targets[row] !== originalIds[row])
  if (wrong === undefined) return
  throw new DataError(
    `${op}: expected labels to be the original ids or ${ignored}, got ${targets[wrong]} for ${originalIds[wrong]}`,
  )
}

/**
 * Whether the logits are kept until the generator's backward, which comes after the discriminator's. What the objective keeps
 * instead of them is the gradient of the output layer's weight, which is larger where there are fewer rows than columns.
 *
 * @param x what the output layer reads.
 */
function keepsLogits(x: Tensor): boolean {
  const [rows, columns] = x.shape as [number, number]
  return gradEnabled() && x.dtype === 'float32' && rows < columns
}

function generatorLoss(generator: ElectraForMaskedLM, predicted: Tensor, labels: Tensor): Tensor {
  const { x, weight } = generator.output(predicted)
  return ops.linearCrossEntropy(x, weight, generator.outputBias, labels)
}
