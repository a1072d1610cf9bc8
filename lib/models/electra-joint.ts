import { join } from 'node:path'
import { DataError, ShapeError } from '../errors.ts'
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
}

export interface ElectraJointInputs extends Omit<ElectraInputs, 'outputHiddenStates' | 'outputAttentions'> {
  /** (B, T) the original ids. */
  readonly inputIds: ArrayInput
  /** (B, T) what the generator reads: some of them masked. */
  readonly maskedInputIds: ArrayInput
  /** (B, T) original ids where the generator is to predict, those left unmasked included; −100 elsewhere. */
  readonly labels: ArrayInput
  /** (B, T) what the discriminator reads. @default drawn from the generator */
  readonly replacedInputIds?: ArrayInput
  /** The generator's logits are divided by it before a token is drawn. @default 1 */
  readonly temperature?: number
  /** Never draw the original token. @default false */
  readonly disallowCorrect?: boolean
  /** Gives the logits of both networks. @default false */
  readonly outputLogits?: boolean
}

export interface ElectraJointOutput {
  /** () genWeight · mlmLoss + discWeight · rtdLoss. */
  readonly loss: Tensor
  /** () mean over the labels, in nats. */
  readonly mlmLoss: Tensor
  /** () mean over the real tokens, in nats. */
  readonly rtdLoss: Tensor
  /** (N) int32, packed: what the discriminator read. */
  readonly corruptedIds: Tensor
  /** (N) uint8, packed: 1 where that differs from the original. */
  readonly isReplaced: Tensor
  /** (B, T, vocabSize). */
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
  readonly generator: ElectraForMaskedLM
  readonly discriminator: ElectraForPreTraining
  readonly #discWeight: number
  readonly #genWeight: number
  readonly #samplingSite: number
  #random: RandomState = { seed: 0, step: 0 }

  /** @internal Use `fromConfigs` or `fromPretrained`. */
  constructor(
    generator: ElectraForMaskedLM,
    discriminator: ElectraForPreTraining,
    { discWeight = 50, genWeight = 1 }: ElectraJointOptions = {},
  ) {
    this.generator = generator
    this.discriminator = discriminator
    this.#discWeight = discWeight
    this.#genWeight = genWeight
    this.#samplingSite = generator.nextSite
  }

  /** New networks. */
  static fromConfigs(
    generator: ElectraConfig,
    discriminator: ElectraConfig,
    options: ElectraJointOptions = {},
  ): ElectraForJointPreTraining {
    const { sharing = 'embeddings', seed = 0 } = options
    expectShareable(generator, discriminator, sharing)
    const second = new ElectraForPreTraining(discriminator, { seed })
    const first = new ElectraForMaskedLM(generator, {
      ...sharedWith(second, sharing),
      seed: seed + 1,
      firstSite: second.nextSite,
    })
    return new ElectraForJointPreTraining(first, second, options)
  }

  /**
   * Loads `<folder>/generator` and `<folder>/discriminator`. What they have in common is the discriminator's.
   *
   * @throws as `fromPretrained` of models.
   */
  static async fromPretrained(
    folder: string,
    { sharing = 'embeddings', ...options }: ElectraJointOptions & PretrainedOptions = {},
  ): Promise<ElectraForJointPreTraining> {
    const discriminator = await ElectraForPreTraining.fromPretrained(join(folder, 'discriminator'), options)
    try {
      const make = (config: ElectraConfig, own: ElectraOptions) => {
        expectShareable(config, discriminator.config, sharing)
        return new ElectraForMaskedLM(config, { ...own, ...sharedWith(discriminator, sharing) })
      }
      const source = join(folder, 'generator')
      const generator = await load(ElectraForMaskedLM, source, options, make, discriminator.nextSite)
      return new ElectraForJointPreTraining(generator, discriminator, options)
    } catch (error) {
      discriminator.dispose()
      throw error
    }
  }

  /**
   * Saves `<dir>/generator` and `<dir>/discriminator`, each a whole model.
   *
   * @throws as `savePretrained` of models.
   */
  async savePretrained(dir: string, options: SavePretrainedOptions = {}): Promise<void> {
    await this.discriminator.savePretrained(join(dir, 'discriminator'), options)
    await this.generator.savePretrained(join(dir, 'generator'), options)
  }

  train(mode = true): this {
    this.generator.train(mode)
    this.discriminator.train(mode)
    return this
  }

  eval(): this {
    return this.train(false)
  }

  /** Sets where dropout and sampling draw from in the next step; those after that take the steps that follow. */
  setRandom({ seed, step }: RandomState): void {
    this.#random = { seed, step }
  }

  /** All parameters, `discriminator.…` and `generator.…`; shared ones are the discriminator's. */
  namedParameters(): Map<string, Tensor> {
    const named = (prefix: string, model: ElectraForMaskedLM | ElectraForPreTraining) =>
      [...model.namedParameters()].map(([name, tensor]) => [`${prefix}.${name}`, tensor] as const)
    return new Map([...named('discriminator', this.discriminator), ...named('generator', this.generator)])
  }

  dispose(): void {
    this.generator.dispose()
    this.discriminator.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  forward(inputs: ElectraJointInputs): ElectraJointOutput {
    const random = { ...this.#random }
    this.#random.step++
    return scope(() => this.#step(inputs, random))
  }

  #step(inputs: ElectraJointInputs, random: RandomState): ElectraJointOutput {
    const op = this.constructor.name
    const { generator, discriminator } = this
    const { vocabSize } = generator.config
    const original = integers(op, 'inputIds', inputs.inputIds, ['batch', 'length'])
    expectBelow(op, 'inputIds', original, vocabSize)
    const labels = tokenLabels(op, inputs.labels, original.shape, vocabSize)
    integers(op, 'maskedInputIds', inputs.maskedInputIds, original.shape)
    const batch = generator.trunk.pack(op, { ...inputs, inputIds: inputs.maskedInputIds }, () => false)
    const { index } = batch.rows.packing
    const targets = packed(labels.data, index)
    const originalIds = packed(original.data, index)
    const selected = Int32Array.from(targets.keys()).filter((row) => targets[row] !== ignored)
    expectOriginals(op, selected, targets, originalIds)

    const { hidden } = generator.trunk.forward(batch, this.#run(generator, random))
    const predicted = generator.predict(ops.gatherRows(hidden, Tensor.from(selected)))
    const fakes = this.#fakes(op, inputs, { predicted, originalIds, selected, index, random })
    const judged = discriminator.trunk.forward({ ...batch, ids: fakes.corruptedIds }, this.#run(discriminator, random))
    const rtdLogits = discriminator.logits(judged.hidden)
    const rtdLoss = ops.rtdLoss(rtdLogits, fakes.isReplaced)
    return {
      loss: ops.add(ops.scale(fakes.loss, this.#genWeight), ops.scale(rtdLoss, this.#discWeight)),
      mlmLoss: fakes.loss,
      rtdLoss,
      corruptedIds: fakes.corruptedIds,
      isReplaced: fakes.isReplaced,
      mlmLogits: inputs.outputLogits ? batch.rows.unpack(generator.logits(generator.predict(hidden))) : null,
      rtdLogits: inputs.outputLogits ? batch.rows.unpack(rtdLogits) : null,
    }
  }

  /** The generator's loss, and the tokens that the discriminator reads: given ones, or drawn ones. */
  #fakes(op: string, inputs: ElectraJointInputs, at: FakesContext) {
    const { predicted, originalIds, selected, index, random } = at
    const { outputWeight, outputBias } = this.generator
    const { temperature = 1, disallowCorrect = false } = inputs
    if (!inputs.replacedInputIds) {
      return ops.generatorObjective(
        predicted,
        outputWeight,
        outputBias,
        Tensor.from(originalIds),
        Tensor.from(selected),
        { ...random, site: this.#samplingSite, temperature, disallowCorrect },
      )
    }
    const shape = integers(op, 'inputIds', inputs.inputIds, ['batch', 'length']).shape
    const given = integers(op, 'replacedInputIds', inputs.replacedInputIds, shape)
    expectBelow(op, 'replacedInputIds', given, this.discriminator.config.vocabSize)
    const corrupted = packed(given.data, index)
    const labels = Tensor.from(packed(originalIds, selected))
    return {
      loss: ops.linearCrossEntropy(predicted, outputWeight, outputBias, labels),
      corruptedIds: Tensor.from(corrupted),
      isReplaced: Tensor.from(Uint8Array.from(corrupted, (id, row) => Number(id !== originalIds[row]))),
    }
  }

  #run(model: ElectraForMaskedLM | ElectraForPreTraining, random: RandomState): ElectraRun {
    return {
      pass: { training: model.training, ...random },
      checkpointing: model.gradientCheckpointing,
      outputHiddenStates: false,
      outputAttentions: false,
    }
  }
}

interface FakesContext {
  readonly predicted: Tensor
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
