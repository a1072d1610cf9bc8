import { electraNames } from '../checkpoint/names.ts'
import { ShapeError } from '../errors.ts'
import {
  Dropout,
  Embedding,
  FeedForward,
  inDType,
  LayerNorm,
  Linear,
  LinearWeight,
  normal,
  PackedRows,
  type ParameterBuilder,
  type Pass,
  RepeatedPasses,
  runBlocks,
  runInGroups,
  SelfAttention,
  type StackOptions,
  zeros,
} from '../nn/index.ts'
import * as ops from '../ops/index.ts'
import { Packing } from '../packing.ts'
import { Tensor } from '../tensor.ts'
import type { ConfigJson } from './config.ts'
import { type ElectraConfig, parseElectraConfig } from './electra-config.ts'
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
import {
  type ArrayInput,
  expectBelow,
  expectTokens,
  type IdInputs,
  type IntegerGrid,
  idsOf,
  integers,
  maskOf,
  packed,
} from './inputs.ts'
import { type Family, type ModelOptions, PreTrainedModel } from './model.ts'

// ---------------------------------------------------------------- layers

/** Tables and norm that two models may have in common. */
export interface ElectraSharedEmbeddings {
  readonly word?: Embedding
  readonly position?: Embedding
  readonly tokenType?: Embedding
  readonly norm?: LayerNorm
}

/** norm(word + position + token type). */
export class ElectraEmbeddings {
  readonly word: Embedding
  readonly position: Embedding
  readonly tokenType: Embedding
  readonly norm: LayerNorm

  constructor(
    build: ParameterBuilder,
    private readonly config: ElectraConfig,
    shared: ElectraSharedEmbeddings,
  ) {
    const { embeddingSize, initializerRange, padTokenId, layerNormEps } = config
    const table = (name: string, rows: number, zeroRow?: number) =>
      new Embedding(build.at(name), rows, embeddingSize, normal(initializerRange, zeroRow))
    this.word = shared.word ?? table('word', config.vocabSize, padTokenId)
    this.position = shared.position ?? table('position', config.maxPositionEmbeddings)
    this.tokenType = shared.tokenType ?? table('tokenType', config.typeVocabSize)
    this.norm = shared.norm ?? new LayerNorm(build.at('norm'), embeddingSize, layerNormEps)
  }

  /** Ids, each (N) int32. @returns (N, embeddingSize) float32. */
  forward(ids: Tensor, positions: Tensor, types: Tensor): Tensor {
    return this.norm.forward(this.#sum([this.word, this.position, this.tokenType], [ids, positions, types]))
  }

  #sum(tables: readonly Embedding[], ids: readonly Tensor[]): Tensor {
    const weights = tables.map(({ weight }) => weight)
    if (weights.every(({ dtype }) => dtype === 'float32')) {
      // Looking the padding id up teaches its row nothing.
      return ops.embeddingSum(weights, ids, { paddingIdx: this.config.padTokenId })
    }
    // 16-bit rows are widened before they are added: the sum has 32 bits.
    const [word, position, type] = tables.map((table, i) => table.forward(ids[i] as Tensor)) as [Tensor, Tensor, Tensor]
    return ops.add(ops.add(word, position), type)
  }
}

interface ElectraContext {
  readonly rows: PackedRows
  readonly pass: Pass
  readonly maps: Tensor[] | null
}

/** One layer: x = norm(x + attention(x)); x = norm(x + feedForward(x)). */
export class ElectraLayer {
  readonly attention: SelfAttention
  readonly attentionNorm: LayerNorm
  readonly feedForward: FeedForward
  readonly outputNorm: LayerNorm

  constructor(build: ParameterBuilder, config: ElectraConfig) {
    const { hiddenSize, numAttentionHeads, hiddenDropoutProb, dropoutBroadcast, layerNormEps } = config
    const init = normal(config.initializerRange)
    const headDim = hiddenSize / numAttentionHeads
    this.attention = new SelfAttention(build.at('attention'), {
      dModel: hiddenSize,
      numHeads: numAttentionHeads,
      headDim,
      scale: headDim ** -0.5,
      bias: true,
      inits: { q: init, k: init, v: init, o: init },
      attentionDropout: config.attentionProbsDropoutProb,
      outputDropout: hiddenDropoutProb,
      dropoutBroadcast,
    })
    this.attentionNorm = new LayerNorm(build.at('attention').at('norm'), hiddenSize, layerNormEps)
    this.feedForward = new FeedForward(build.at('feedForward'), {
      dModel: hiddenSize,
      dFF: config.intermediateSize,
      activation: config.hiddenAct,
      gated: false,
      bias: true,
      inits: { wi: init, wo: init },
      hiddenDropout: 0,
      outputDropout: hiddenDropoutProb,
      dropoutBroadcast,
    })
    this.outputNorm = new LayerNorm(build.at('feedForward').at('norm'), hiddenSize, layerNormEps)
  }

  /** @param x (N, hiddenSize). */
  forward(x: Tensor, context: ElectraContext): Tensor {
    const attended = this.attentionNorm.forward(this.attention.forward(x, x, context))
    return this.outputNorm.forward(this.feedForward.forward(attended, attended, context.rows, context.pass))
  }
}

/** What the trunk is to do beside its result. */
export interface ElectraRun {
  readonly pass: Pass
  readonly checkpointing: boolean
  readonly outputHiddenStates: boolean
  readonly outputAttentions: boolean
}

/** A batch, packed: rows with their ids. */
export interface ElectraBatch {
  readonly rows: PackedRows
  /** (N) int32. */
  readonly ids: Tensor
  readonly positions: Tensor
  readonly types: Tensor
}

/** The trunk's result, packed, and what was asked for on the way. */
export interface ElectraEncoded {
  readonly rows: PackedRows
  /** (N, hiddenSize). */
  readonly hidden: Tensor
  readonly seen: ElectraSeen
}

/** Embeddings and layers, without a head. */
export class ElectraTrunk {
  readonly embeddings: ElectraEmbeddings
  readonly #projection: Linear | null
  readonly #layers: readonly ElectraLayer[]
  readonly #dropout: Dropout
  readonly #repeated: RepeatedPasses

  constructor(
    build: ParameterBuilder,
    private readonly config: ElectraConfig,
    shared: ElectraSharedEmbeddings = {},
  ) {
    const { embeddingSize, hiddenSize, initializerRange } = config
    this.embeddings = new ElectraEmbeddings(build.at('embeddings'), config, shared)
    const size = { inputs: embeddingSize, outputs: hiddenSize, init: normal(initializerRange), bias: true }
    this.#projection = embeddingSize === hiddenSize ? null : new Linear(build.at('projection'), size)
    this.#dropout = new Dropout(config.hiddenDropoutProb, build.site(), config.dropoutBroadcast)
    const numbers = Array.from({ length: config.numHiddenLayers }, (_, i) => i)
    this.#layers = numbers.map((i) => new ElectraLayer(build.at('layers').at(i), config))
    this.#repeated = new RepeatedPasses(build)
  }

  /**
   * Checks and packs a batch.
   *
   * @param keepMasked which masked tokens get a row all the same, because a head reads them.
   */
  pack(op: string, inputs: ElectraInputs, keepMasked: (index: number) => boolean): ElectraBatch {
    const { vocabSize, typeVocabSize, maxPositionEmbeddings } = this.config
    const ids = idsOf(op, inputs)
    expectTokens(op, 'inputIds', ids)
    expectBelow(op, 'inputIds', ids, vocabSize)
    const [batch, length] = ids.shape as [number, number]
    const mask = maskOf(op, 'attentionMask', inputs.attentionMask, ids.shape)
    const types = integers(op, 'tokenTypeIds', inputs.tokenTypeIds ?? filled(ids.shape, 0), ids.shape)
    expectBelow(op, 'tokenTypeIds', types, typeVocabSize)
    const packing = Packing.fromMask(mask, batch, length, { keepMasked })
    const positions = packing.index.map((i) => i % length)
    const longest = positions.reduce((most, position) => Math.max(most, position + 1), 0)
    if (longest > maxPositionEmbeddings) {
      throw new ShapeError(
        `${op}: expected at most ${maxPositionEmbeddings} tokens a sequence (truncate the text), got ${longest}`,
      )
    }
    return {
      rows: new PackedRows(packing),
      ids: Tensor.from(packed(ids.data, packing.index)),
      positions: Tensor.from(positions),
      types: Tensor.from(packed(types.data, packing.index)),
    }
  }

  /** Runs all layers. */
  forward({ rows, ids, positions, types }: ElectraBatch, run: ElectraRun): ElectraEncoded {
    const { pass, outputHiddenStates, outputAttentions } = run
    const states: Tensor[] | null = outputHiddenStates ? [] : null
    const context = { rows, pass, maps: outputAttentions ? [] : null }
    const embedded = this.embeddings.forward(ids, positions, types)
    const dropped = this.#dropout.forward(embedded, rows.packing, pass)
    const x = this.#projection?.forward(dropped) ?? dropped
    states?.push(x)
    const alike = !pass.training && !states && !context.maps
    const hidden = alike
      ? this.#repeated.run(x, rows, (input, own) => this.#inferred(input, own, pass))
      : this.#throughLayers(x, context, { checkpointing: run.checkpointing, states })
    return {
      rows,
      hidden,
      seen: {
        embeddings: states && rows.unpack(embedded),
        hiddenStates: states?.map((state) => rows.unpack(state)) ?? null,
        attentions: context.maps,
      },
    }
  }

  #throughLayers(x: Tensor, context: ElectraContext, options: StackOptions = {}): Tensor {
    context.rows.prepare()
    const layer = (of: ElectraLayer, ...[input]: readonly Tensor[]) => of.forward(input as Tensor, context)
    return runBlocks(this.#layers, x, layer, [], { ...options, maps: [context.maps] })
  }

  #inferred(x: Tensor, rows: PackedRows, pass: Pass): Tensor {
    const grouped = runInGroups(this.#layers, x, rows, (layer, part, group) =>
      layer.forward(part, { rows: group, pass, maps: null }),
    )
    return grouped ?? this.#throughLayers(x, { rows, pass, maps: null })
  }
}

function filled(shape: readonly number[], value: number): IntegerGrid {
  return { data: new Int32Array(shape.reduce((product, n) => product * n, 1)).fill(value), shape }
}

// ---------------------------------------------------------------- what the classes take and give

export interface ElectraInputs extends IdInputs {
  /** (B, T), 1 where a token is real; any pattern. @default all 1 */
  readonly attentionMask?: ArrayInput
  /** (B, T), which of two texts a token is of. @default all 0 */
  readonly tokenTypeIds?: ArrayInput
  /** Gives the embeddings and each layer's result. @default false */
  readonly outputHiddenStates?: boolean
  /** Gives softmax probabilities, which costs memory quadratic in the length. @default false */
  readonly outputAttentions?: boolean
}

/** Null where it was not asked for; zeros where a masked token has no row. */
export interface ElectraSeen {
  /** (B, T, embeddingSize), after their norm. */
  readonly embeddings: Tensor | null
  /** (B, T, hiddenSize) each: what enters the first layer, then each layer's result. */
  readonly hiddenStates: readonly Tensor[] | null
  /** (B, H, T, T) each. */
  readonly attentions: readonly Tensor[] | null
}

// ---------------------------------------------------------------- models

const family: Family<ElectraConfig> = {
  parseConfig: parseElectraConfig,
  names: electraNames,
  // Generators' files may repeat the word table as the output layer's; one that differs is a matrix of its own.
  async settle(config, source) {
    const separate = source.has('generatorLmHead.weight')
    const tied =
      !separate ||
      (config.tieWordEmbeddings && (await source.equal('generatorLmHead.weight', 'electra.embeddings.word.weight')))
    return { ...config, tieWordEmbeddings: tied }
  },
}

const noMasked = () => false

/** Base of the ELECTRA classes. */
abstract class Electra extends PreTrainedModel<ElectraConfig> {
  static readonly family = family
  static readonly head: RegExp | null = /^(?!electra\.)/

  protected override savedConfig(): ConfigJson {
    return { model_type: 'electra', ...super.savedConfig() }
  }

  protected nextRun({ outputHiddenStates = false, outputAttentions = false }: Partial<ElectraInputs>): ElectraRun {
    return { pass: this.nextPass(), checkpointing: this.gradientCheckpointing, outputHiddenStates, outputAttentions }
  }

  protected headDropout(p: number): Dropout {
    return new Dropout(p, this.build.site(), 'none')
  }

  protected headLinear(name: string, inputs: number, outputs: number): Linear {
    const init = normal(this.config.initializerRange)
    return new Linear(
      name.split('.').reduce((build, part) => build.at(part), this.build),
      { inputs, outputs, init, bias: true },
    )
  }
}

export interface ElectraModelOutput extends ElectraSeen {
  /** (B, T, hiddenSize); zeros where attentionMask is 0. */
  readonly lastHiddenState: Tensor
}

/**
 * ELECTRA's encoder alone.
 *
 * @see Clark et al. 2020. https://arxiv.org/abs/2003.10555
 */
export class ElectraModel extends Electra {
  static override readonly head = null
  readonly trunk: ElectraTrunk

  constructor(config: ElectraConfig, options?: ModelOptions) {
    super(config, options)
    this.trunk = new ElectraTrunk(this.build, config)
  }

  forward(inputs: ElectraInputs): ElectraModelOutput {
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const { rows, hidden, seen } = this.trunk.forward(this.trunk.pack(this.constructor.name, inputs, noMasked), run)
      return { lastHiddenState: rows.unpack(hidden), ...seen }
    })
  }
}

/** Base of the classes with a head. */
abstract class ElectraWithHead extends Electra {
  readonly trunk: ElectraTrunk
  readonly #sharedParameters: ReadonlyMap<string, Tensor>

  constructor(config: ElectraConfig, { trunk, shared, sharedParameters = new Map(), ...options }: ElectraOptions = {}) {
    super(config, options)
    this.trunk = trunk ?? new ElectraTrunk(this.build.at('electra'), config, shared)
    this.#sharedParameters = sharedParameters
  }

  protected override savedTensors(): Map<string, Tensor> {
    return new Map([...this.#sharedParameters, ...super.savedTensors()])
  }

  protected encode(inputs: ElectraInputs, run: ElectraRun, keepMasked: (index: number) => boolean): ElectraEncoded {
    return this.trunk.forward(this.trunk.pack(this.constructor.name, inputs, keepMasked), run)
  }
}

export interface ElectraOptions extends ModelOptions {
  /** The trunk of another model, to have in common with it. */
  readonly trunk?: ElectraTrunk
  /** Embeddings of another model, to have in common with it. */
  readonly shared?: ElectraSharedEmbeddings
  /** What is in common by its names in files: it is saved with this model, too. */
  readonly sharedParameters?: ReadonlyMap<string, Tensor>
}

export interface ElectraForPreTrainingInputs extends ElectraInputs {
  /** (B, T), 1 where a token was replaced. Counts where attentionMask is 1. */
  readonly labels?: ArrayInput
}

/** The discriminator: was this token replaced? */
export class ElectraForPreTraining extends ElectraWithHead {
  readonly #dense: Linear
  readonly #prediction: Linear

  constructor(config: ElectraConfig, options?: ElectraOptions) {
    super(config, options)
    this.#dense = this.headLinear('discriminatorPredictions.dense', config.hiddenSize, config.hiddenSize)
    this.#prediction = this.headLinear('discriminatorPredictions.densePrediction', config.hiddenSize, 1)
  }

  /** @returns logits (B, T), positive where a token looks replaced; zeros where attentionMask is 0. */
  forward(inputs: ElectraForPreTrainingInputs): ClassifierOutput & ElectraSeen {
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const { rows, hidden, seen } = this.encode(inputs, run, noMasked)
      const logits = this.logits(hidden)
      const { batch, maxLength, index } = rows.packing
      const labels = inputs.labels ? integers(this.constructor.name, 'labels', inputs.labels, [batch, maxLength]) : null
      if (labels) expectBelow(this.constructor.name, 'labels', labels, 2)
      const isReplaced = labels && Tensor.from(Uint8Array.from(packed(labels.data, index)))
      return { loss: isReplaced && ops.rtdLoss(logits, isReplaced), logits: rows.unpack(logits), ...seen }
    })
  }

  /** Hidden states (N, hiddenSize) to logits (N). */
  logits(hidden: Tensor): Tensor {
    const x = this.#dense.forward(hidden, { act: this.config.hiddenAct })
    return ops.reshape(this.#prediction.forward(x), [hidden.shape[0] as number])
  }
}

export interface ElectraForMaskedLMInputs extends ElectraInputs {
  /** (B, T) ids of the tokens that were masked; −100 elsewhere. */
  readonly labels?: ArrayInput
  /** Gives logits, which the loss computes for the labelled tokens alone. @default whether there are no labels */
  readonly outputLogits?: boolean
}

export interface ElectraMaskedLMOutput extends ElectraSeen {
  readonly loss: Tensor | null
  /** (B, T, vocabSize). */
  readonly logits: Tensor | null
}

/** The generator: which token stands here? */
export class ElectraForMaskedLM extends ElectraWithHead {
  readonly #norm: LayerNorm
  readonly #dense: Linear
  /** (vocabSize, embeddingSize): the word table, unless the checkpoint has another. */
  readonly #outputWeight: LinearWeight
  readonly outputBias: Tensor

  constructor(config: ElectraConfig, options?: ElectraOptions) {
    super(config, options)
    const { embeddingSize, hiddenSize, vocabSize, layerNormEps, initializerRange } = config
    this.#norm = new LayerNorm(this.build.at('generatorPredictions').at('norm'), embeddingSize, layerNormEps)
    this.#dense = this.headLinear('generatorPredictions.dense', hiddenSize, embeddingSize)
    const head = this.build.at('generatorLmHead')
    const weight = config.tieWordEmbeddings
      ? this.trunk.embeddings.word.weight
      : head.parameter('weight', [vocabSize, embeddingSize], normal(initializerRange))
    this.#outputWeight = this.build.owns(new LinearWeight(weight))
    this.outputBias = head.parameter('bias', [vocabSize], zeros)
  }

  protected override savedConfig(): ConfigJson {
    return { ...super.savedConfig(), tie_word_embeddings: this.config.tieWordEmbeddings }
  }

  forward(inputs: ElectraForMaskedLMInputs): ElectraMaskedLMOutput {
    const op = this.constructor.name
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const labels = inputs.labels ? tokenLabels(op, inputs.labels, shapeOf(op, inputs), this.config.vocabSize) : null
      const { rows, hidden, seen } = this.encode(inputs, run, (i) => labels !== null && labels.data[i] !== ignored)
      const wanted = inputs.outputLogits ?? labels === null
      return {
        loss: labels && this.#loss(hidden, packed(labels.data, rows.packing.index)),
        logits: wanted ? rows.unpack(this.logits(this.predict(hidden))) : null,
        ...seen,
      }
    })
  }

  /** Hidden states (N, hiddenSize) to what the output layer reads, (N, embeddingSize). */
  predict(hidden: Tensor): Tensor {
    return this.#norm.forward(this.#dense.forward(hidden, { act: 'geluErf' }))
  }

  /** Operands of the product that gives the logits, for ops that do not hold them: x (N, embeddingSize), weight (V, same). */
  output(predicted: Tensor): { x: Tensor; weight: Tensor } {
    const x = inDType(predicted, this.computeDtype)
    return { x, weight: this.#outputWeight.tensorFor(x) }
  }

  /** (N, embeddingSize) to (N, vocabSize). */
  logits(predicted: Tensor): Tensor {
    const x = inDType(predicted, this.computeDtype)
    return inDType(ops.linear(x, this.#outputWeight.for(x), { bias: this.outputBias }), 'float32')
  }

  #loss(hidden: Tensor, labels: Int32Array): Tensor {
    const kept = Int32Array.from(labels.keys()).filter((row) => labels[row] !== ignored)
    const { x, weight } = this.output(this.predict(ops.gatherRows(hidden, Tensor.from(kept))))
    return ops.linearCrossEntropy(x, weight, this.outputBias, Tensor.from(packed(labels, kept)))
  }
}

/** (B, T) of the ids. */
function shapeOf(op: string, inputs: ElectraInputs): readonly number[] {
  return idsOf(op, inputs).shape
}

export interface ElectraClassifierInputs extends ElectraInputs {
  /** Of each sequence: (B) classes or numbers, (B, numLabels) for several labels or numbers at once. */
  readonly labels?: ArrayInput
}

/** The first token of each sequence has a row, masked or not. @returns (B, hiddenSize). */
function firstTokens({ rows, hidden }: ElectraEncoded): Tensor {
  return ops.gatherRows(hidden, Tensor.from(rows.packing.cuSeqlens.slice(0, -1)))
}

/** One prediction a sequence, read from its first token. */
export class ElectraForSequenceClassification extends ElectraWithHead {
  readonly #dense: Linear
  readonly #out: Linear
  readonly #dropouts: readonly [Dropout, Dropout]

  constructor(config: ElectraConfig, options?: ElectraOptions) {
    super(config, options)
    this.#dense = this.headLinear('classifier.dense', config.hiddenSize, config.hiddenSize)
    this.#out = this.headLinear('classifier.outProj', config.hiddenSize, config.numLabels)
    this.#dropouts = [this.headDropout(config.classifierDropout), this.headDropout(config.classifierDropout)]
  }

  /** @returns logits (B, numLabels). */
  forward(inputs: ElectraClassifierInputs): ClassifierOutput & ElectraSeen {
    const op = this.constructor.name
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const length = shapeOf(op, inputs)[1] as number
      const encoded = this.encode(inputs, run, (i) => i % length === 0)
      const { packing } = encoded.rows
      const [before, after] = this.#dropouts
      const x = before.forward(firstTokens(encoded), packing, run.pass)
      const dense = this.#dense.forward(x, { act: 'geluErf', ...after.options(run.pass) })
      const logits = this.#out.forward(dense)
      return {
        loss: inputs.labels ? sequenceLoss(op, this.config, logits, inputs.labels) : null,
        logits,
        ...encoded.seen,
      }
    })
  }
}

export interface ElectraTokenInputs extends ElectraInputs {
  /** (B, T) classes; −100 does not count. */
  readonly labels?: ArrayInput
}

/** One class a token. */
export class ElectraForTokenClassification extends ElectraWithHead {
  readonly #classifier: Linear
  readonly #dropout: Dropout

  constructor(config: ElectraConfig, options?: ElectraOptions) {
    super(config, options)
    this.#classifier = this.headLinear('classifier', config.hiddenSize, config.numLabels)
    this.#dropout = this.headDropout(config.classifierDropout)
  }

  /** @returns logits (B, T, numLabels); zeros where attentionMask is 0 and there is no label. */
  forward(inputs: ElectraTokenInputs): ClassifierOutput & ElectraSeen {
    const op = this.constructor.name
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const labels = inputs.labels ? tokenLabels(op, inputs.labels, shapeOf(op, inputs), this.config.numLabels) : null
      const { rows, hidden, seen } = this.encode(inputs, run, (i) => labels !== null && labels.data[i] !== ignored)
      const logits = this.#classifier.forward(this.#dropout.forward(hidden, rows.packing, run.pass))
      return { loss: labels && tokenLoss(logits, labels, rows.packing.index), logits: rows.unpack(logits), ...seen }
    })
  }
}

/** Where in the text the answer stands. */
export class ElectraForQuestionAnswering extends ElectraWithHead {
  readonly #outputs: Linear

  constructor(config: ElectraConfig, options?: ElectraOptions) {
    super(config, options)
    this.#outputs = this.headLinear('qaOutputs', config.hiddenSize, 2)
  }

  forward(inputs: ElectraInputs & SpanInputs): SpanOutput & ElectraSeen {
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const { rows, hidden, seen } = this.encode(inputs, run, () => inputs.outputMasked ?? true)
      return { ...spanOutput(this.constructor.name, this.#outputs.forward(hidden), rows, inputs), ...seen }
    })
  }
}

export interface ElectraMultipleChoiceInputs
  extends Omit<ElectraInputs, 'inputIds' | 'shape' | 'attentionMask' | 'tokenTypeIds'> {
  /** (B, C, T) ids: C texts to choose from. */
  readonly inputIds: ArrayInput
  readonly attentionMask?: ArrayInput
  readonly tokenTypeIds?: ArrayInput
  /** (B) number of the right choice. */
  readonly labels?: ArrayInput
}

const activationOps = {
  relu: ops.relu,
  geluErf: ops.geluErf,
  geluTanh: ops.geluTanh,
  silu: ops.silu,
  tanh: ops.tanh,
} as const

/** Which of several texts fits. */
export class ElectraForMultipleChoice extends ElectraWithHead {
  readonly #summary: Linear | null
  readonly #classifier: Linear
  readonly #dropout: Dropout

  constructor(config: ElectraConfig, options?: ElectraOptions) {
    super(config, options)
    const { hiddenSize, summaryUseProj, summaryLastDropout } = config
    this.#summary = summaryUseProj ? this.headLinear('sequenceSummary.summary', hiddenSize, hiddenSize) : null
    this.#classifier = this.headLinear('classifier', hiddenSize, 1)
    this.#dropout = this.headDropout(summaryLastDropout)
  }

  /** @returns logits (B, C); hidden states and maps have the B · C texts one after the other. */
  forward(inputs: ElectraMultipleChoiceInputs): ClassifierOutput & ElectraSeen {
    const op = this.constructor.name
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const { shape } = integers(op, 'inputIds', inputs.inputIds, ['batch', 'choices', 'length'])
      const [batch, choices, length] = shape as [number, number, number]
      const flat = (name: 'inputIds' | 'attentionMask' | 'tokenTypeIds') => {
        const value = inputs[name]
        return value && { ...integers(op, name, value, shape), shape: [batch * choices, length] }
      }
      const [attentionMask, tokenTypeIds] = [flat('attentionMask'), flat('tokenTypeIds')]
      const texts: ElectraInputs = {
        inputIds: flat('inputIds') as ArrayInput,
        ...(attentionMask && { attentionMask }),
        ...(tokenTypeIds && { tokenTypeIds }),
      }
      const encoded = this.encode(texts, run, (i) => i % length === 0)
      const summary = this.#summarize(firstTokens(encoded))
      const scores = this.#classifier.forward(this.#dropout.forward(summary, encoded.rows.packing, run.pass))
      const logits = ops.reshape(scores, [batch, choices])
      return { loss: inputs.labels ? choiceLoss(op, logits, inputs.labels) : null, logits, ...encoded.seen }
    })
  }

  #summarize(x: Tensor): Tensor {
    const { summaryActivation } = this.config
    const projected = this.#summary?.forward(x) ?? x
    return summaryActivation ? activationOps[summaryActivation](projected) : projected
  }
}

function choiceLoss(op: string, logits: Tensor, labels: ArrayInput): Tensor {
  const [batch, choices] = logits.shape as [number, number]
  const chosen = integers(op, 'labels', labels, [batch])
  expectBelow(op, 'labels', chosen, choices, ignored)
  return ops.crossEntropy(logits, Tensor.from(chosen.data))
}
