import { formatJson, type JsonObject } from '../checkpoint/json.ts'
import { readOptionalJson } from '../checkpoint/model-folder.ts'
import { t5Names } from '../checkpoint/names.ts'
import { DataError, ShapeError } from '../errors.ts'
import * as search from '../generate/index.ts'
import {
  type AttentionConfig,
  type AttentionContext,
  CrossAttention,
  Dropout,
  Embedding,
  FeedForward,
  inDType,
  type KeysAndValues,
  Linear,
  LinearWeight,
  normal,
  PackedRows,
  type ParameterBuilder,
  type Pass,
  type PositionBias,
  RepeatedPasses,
  RMSNorm,
  runBlocks,
  runInGroups,
  SelfAttention,
  type StackOptions,
} from '../nn/index.ts'
import * as ops from '../ops/index.ts'
import { Packing } from '../packing.ts'
import { Tensor } from '../tensor.ts'
import type { ConfigJson } from './config.ts'
import { ignored } from './heads.ts'
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
import { parseT5Config, type T5Config } from './t5-config.ts'
import { T5Decoding } from './t5-decoding.ts'

// ---------------------------------------------------------------- layers

function attentionConfig(config: T5Config): AttentionConfig {
  const { dModel, dKV, numHeads, initializerFactor: factor, dropoutRate, dropoutBroadcast } = config
  const inner = numHeads * dKV
  return {
    dModel,
    numHeads,
    headDim: dKV,
    // The 1/√dKV of other models is in the initialisation of q.
    scale: 1,
    bias: false,
    inits: {
      q: normal(factor * (dModel * dKV) ** -0.5),
      k: normal(factor * dModel ** -0.5),
      v: normal(factor * dModel ** -0.5),
      o: normal(factor * inner ** -0.5),
    },
    attentionDropout: dropoutRate,
    outputDropout: dropoutRate,
    dropoutBroadcast,
  }
}

function feedForward(build: ParameterBuilder, config: T5Config, isDecoder: boolean): FeedForward {
  const { dModel, dFF, initializerFactor: factor, dropoutRate, dropoutBroadcast } = config
  return new FeedForward(build, {
    dModel,
    dFF,
    activation: config.denseActFn,
    gated: config.isGatedAct,
    bias: false,
    inits: { wi: normal(factor * dModel ** -0.5), wo: normal(factor * dFF ** -0.5) },
    // Hidden values of published checkpoints reach numbers whose products float16 does not hold.
    overflows: true,
    hiddenDropout: dropoutRate,
    outputDropout: dropoutRate,
    dropoutBroadcast,
    fewRows: isDecoder,
    recompute: true,
  })
}

/** What the blocks of a stack read beside the residual stream. */
export interface T5Context {
  readonly rows: PackedRows
  readonly pass: Pass
  /** Attention maps of the stack, a block after the other, when they are asked for. */
  readonly maps?: Tensor[] | null
  readonly crossMaps?: Tensor[] | null
}

/** The encoder's result, packed, as decoders read it. */
export interface T5Encoded {
  /** (N, dModel). */
  readonly hidden: Tensor
  readonly rows: PackedRows
}

/** One block: h += attention(norm(h)); in decoders h += crossAttention(norm(h)); h += feedForward(norm(h)). */
export class T5Block {
  readonly attention: SelfAttention
  readonly attentionNorm: RMSNorm
  readonly crossAttention: CrossAttention | null
  readonly crossAttentionNorm: RMSNorm | null
  readonly feedForward: FeedForward
  readonly feedForwardNorm: RMSNorm
  /** The table that its self-attention looks its bias up in: its own, or the one of the first block. */
  readonly bias: PositionBias

  constructor(build: ParameterBuilder, config: T5Config, isDecoder: boolean, first: T5Block | null) {
    const { dModel, layerNormEpsilon } = config
    const norm = (name: string) => new RMSNorm(build.at(name).at('norm'), dModel, layerNormEpsilon)
    const attention = attentionConfig(config)
    this.attention = new SelfAttention(build.at('attention'), attention)
    this.bias = first && config.modelType !== 'umt5' ? first.bias : ownBias(build.at('attention'), config, isDecoder)
    this.attentionNorm = norm('attention')
    this.crossAttention = isDecoder ? new CrossAttention(build.at('crossAttention'), attention) : null
    this.crossAttentionNorm = isDecoder ? norm('crossAttention') : null
    this.feedForward = feedForward(build.at('feedForward'), config, isDecoder)
    this.feedForwardNorm = norm('feedForward')
  }

  /** Keys and values of the encoder's result for this block's cross-attention; null in encoders. */
  keysOf(hidden: Tensor, rows: PackedRows): KeysAndValues | null {
    return this.crossAttention?.projectKeys(hidden, rows) ?? null
  }

  /** @param h (N, dModel), the residual stream. @param encoded keys and values for cross-attention, in decoders. */
  forward(h: Tensor, encoded: KeysAndValues | null, context: T5Context): Tensor {
    const { rows, pass } = context
    const attending: AttentionContext = {
      rows,
      pass,
      bias: this.bias,
      causal: this.crossAttention !== null,
      maps: context.maps ?? null,
    }
    let stream = this.attention.forward(this.attentionNorm.forward(h), h, attending)
    if (this.crossAttention && this.crossAttentionNorm && encoded) {
      const x = this.crossAttentionNorm.forward(stream)
      stream = this.crossAttention.forward(x, stream, encoded, { rows, pass, maps: context.crossMaps ?? null })
    }
    return this.feedForward.forward(this.feedForwardNorm.forward(stream), stream, rows, pass)
  }
}

function ownBias(build: ParameterBuilder, config: T5Config, isDecoder: boolean): PositionBias {
  const { relativeAttentionNumBuckets: numBuckets, relativeAttentionMaxDistance: maxDistance } = config
  const init = normal(config.initializerFactor * config.dModel ** -0.5)
  const { weight } = new Embedding(build.at('relativeBias'), numBuckets, config.numHeads, init)
  return { table: weight, rule: { numBuckets, maxDistance, bidirectional: !isDecoder } }
}

/** An encoder or a decoder: blocks over a residual stream, and a norm at its end. */
export class T5Stack {
  readonly blocks: readonly T5Block[]
  readonly finalNorm: RMSNorm
  readonly #embeddingDropout: Dropout
  readonly #finalDropout: Dropout
  readonly #repeated: RepeatedPasses

  constructor(build: ParameterBuilder, config: T5Config, isDecoder: boolean) {
    const { dropoutRate, dropoutBroadcast } = config
    const blocks: T5Block[] = []
    for (let i = 0; i < (isDecoder ? config.numDecoderLayers : config.numLayers); i++) {
      blocks.push(new T5Block(build.at('blocks').at(i), config, isDecoder, blocks[0] ?? null))
    }
    this.blocks = blocks
    this.finalNorm = new RMSNorm(build.at('finalNorm'), config.dModel, config.layerNormEpsilon)
    this.#embeddingDropout = new Dropout(dropoutRate, build.site(), dropoutBroadcast)
    this.#finalDropout = new Dropout(dropoutRate, build.site(), dropoutBroadcast)
    this.#repeated = new RepeatedPasses(build)
  }

  /**
   * @param embedded (N, dModel).
   * @param encoded the encoder's result, in decoders.
   * @param options.states where the embeddings and each block's result are put.
   * @returns (N, dModel), after the final norm.
   */
  forward(
    embedded: Tensor,
    encoded: T5Encoded | null,
    context: T5Context,
    { states = null, checkpointing = false }: { states?: Tensor[] | null; checkpointing?: boolean } = {},
  ): Tensor {
    const { rows, pass } = context
    const h = this.#embeddingDropout.forward(embedded, rows.packing, pass)
    states?.push(h)
    if (!encoded && !states && !context.maps && !pass.training) {
      return this.#repeated.run(h, rows, (input, own) => this.#encoded(input, own, pass))
    }
    encoded?.rows.prepare()
    const hidden = this.finalNorm.forward(this.#throughBlocks(h, encoded, context, { checkpointing, states }))
    return this.#finalDropout.forward(hidden, rows.packing, pass)
  }

  #throughBlocks(embedded: Tensor, encoded: T5Encoded | null, context: T5Context, options: StackOptions = {}): Tensor {
    context.rows.prepare()
    const block = (of: T5Block, ...[stream, source]: readonly Tensor[]) =>
      of.forward(stream as Tensor, source && encoded ? of.keysOf(source, encoded.rows) : null, context)
    const maps = [context.maps, context.crossMaps]
    return runBlocks(this.blocks, embedded, block, encoded ? [encoded.hidden] : [], { ...options, maps })
  }

  /** As an encoder, in inference. */
  #encoded(embedded: Tensor, rows: PackedRows, pass: Pass): Tensor {
    const grouped = runInGroups(this.blocks, embedded, rows, (block, part, group) =>
      block.forward(part, null, { rows: group, pass }),
    )
    return this.finalNorm.forward(grouped ?? this.#throughBlocks(embedded, null, { rows, pass }))
  }
}

/** Embeddings, encoder and, in most models, a decoder. */
export class T5Trunk {
  readonly shared: Embedding
  readonly encoder: T5Stack
  readonly decoder: T5Stack | null

  constructor(
    build: ParameterBuilder,
    private readonly config: T5Config,
    { withDecoder }: { withDecoder: boolean },
  ) {
    this.shared = new Embedding(build.at('shared'), config.vocabSize, config.dModel, normal(config.initializerFactor))
    this.encoder = new T5Stack(build.at('encoder'), config, false)
    this.decoder = withDecoder ? new T5Stack(build.at('decoder'), config, true) : null
  }

  /**
   * Runs the encoder over the tokens that the mask keeps.
   *
   * @param options.keepMasked which masked ones get a row all the same, because a head reads them.
   */
  encode(
    op: string,
    inputs: T5EncoderInputs,
    run: T5Run,
    keepMasked?: (index: number) => boolean,
  ): T5Encoded & { seen: Seen } {
    const ids = this.#checked(op, 'inputIds', idsOf(op, inputs))
    const mask = maskOf(op, 'attentionMask', inputs.attentionMask, ids.shape)
    const rows = rowsOf(ids, mask, keepMasked)
    const seen = seenOf(run)
    const context = { rows, pass: run.pass, maps: seen.maps }
    const hidden = this.encoder.forward(this.#embed(ids, rows), null, context, { ...run, states: seen.states })
    return { hidden, rows, seen }
  }

  /** Runs the decoder over all its tokens at once. */
  decode(ids: IntegerGrid, rows: PackedRows, encoded: T5Encoded, run: T5Run): { hidden: Tensor; seen: Seen } {
    const seen = seenOf(run)
    const context = { rows, pass: run.pass, maps: seen.maps, crossMaps: seen.crossMaps }
    const decoder = this.decoder as T5Stack
    return { hidden: decoder.forward(this.#embed(ids, rows), encoded, context, { ...run, states: seen.states }), seen }
  }

  /** Checks ids of a decoder against the encoder's batch. */
  decoderIds(op: string, name: string, value: unknown, { rows }: T5Encoded): IntegerGrid {
    return this.#checked(op, name, integers(op, name, value, [rows.packing.batch, 'length']))
  }

  #checked(op: string, name: string, ids: IntegerGrid): IntegerGrid {
    expectTokens(op, name, ids)
    expectBelow(op, name, ids, this.config.vocabSize)
    return ids
  }

  #embed(ids: IntegerGrid, { packing }: PackedRows): Tensor {
    return this.shared.forward(Tensor.from(packed(ids.data, packing.index)))
  }
}

/** @internal */
export function rowsOf({ shape }: IntegerGrid, mask: Int32Array, keepMasked?: (index: number) => boolean): PackedRows {
  const [batch, length] = shape as [number, number]
  return new PackedRows(Packing.fromMask(mask, batch, length, keepMasked ? { keepMasked } : {}))
}

/**
 * Decoder inputs from labels: the start token, then all labels but the last; ignored ones become the padding id.
 *
 * @param labels (B, T).
 */
export function shiftRight({ data, shape }: IntegerGrid, { decoderStartTokenId, padTokenId }: T5Config): IntegerGrid {
  const length = shape[1] as number
  const shifted = data.map((_, i) => {
    if (i % length === 0) return decoderStartTokenId
    const before = data[i - 1] as number
    return before === ignored ? padTokenId : before
  })
  return { data: shifted, shape }
}

// ---------------------------------------------------------------- what the classes take and give

export interface T5EncoderInputs extends IdInputs {
  /** (B, T), 1 where a token is real; any pattern. @default all 1 */
  readonly attentionMask?: ArrayInput | undefined
}

export interface OutputOptions {
  /** Gives the embeddings and each block's result, and the last hidden states. @default false */
  readonly outputHiddenStates?: boolean
  /** Gives softmax probabilities, which costs memory quadratic in the length. @default false */
  readonly outputAttentions?: boolean
}

export interface T5Run extends Required<OutputOptions> {
  readonly pass: Pass
  readonly checkpointing: boolean
}

/** What a stack leaves on its way. */
export interface Seen {
  readonly states: Tensor[] | null
  readonly maps: Tensor[] | null
  readonly crossMaps: Tensor[] | null
}

function seenOf({ outputHiddenStates, outputAttentions }: T5Run): Seen {
  const list = (wanted: boolean): Tensor[] | null => (wanted ? [] : null)
  return { states: list(outputHiddenStates), maps: list(outputAttentions), crossMaps: list(outputAttentions) }
}

function unpackAll(rows: PackedRows, tensors: readonly Tensor[] | null): Tensor[] | null {
  return tensors?.map((tensor) => rows.unpack(tensor)) ?? null
}

/** Hidden states and maps of an encoder and a decoder; null where they were not asked for. */
export interface T5Seen {
  /** (B, T, dModel) after the final norm. */
  readonly encoderLastHiddenState: Tensor | null
  readonly decoderLastHiddenState: Tensor | null
  /** (B, T, dModel) each: the embeddings, then each block's result; the last one before the final norm. */
  readonly encoderHiddenStates: readonly Tensor[] | null
  readonly decoderHiddenStates: readonly Tensor[] | null
  /** (B, H, Tq, Tk) each, a block after the other. */
  readonly encoderAttentions: readonly Tensor[] | null
  readonly decoderAttentions: readonly Tensor[] | null
  readonly crossAttentions: readonly Tensor[] | null
}

type Decoded = { hidden: Tensor; rows: PackedRows; seen: Seen }

/** @internal */
export function seenBy(encoded: T5Encoded & { seen: Seen | null }, decoded: Decoded): T5Seen {
  const { states } = decoded.seen
  return {
    encoderLastHiddenState: states && encoded.rows.unpack(encoded.hidden),
    decoderLastHiddenState: states && decoded.rows.unpack(decoded.hidden),
    encoderHiddenStates: unpackAll(encoded.rows, encoded.seen?.states ?? null),
    decoderHiddenStates: unpackAll(decoded.rows, states),
    encoderAttentions: encoded.seen?.maps ?? null,
    decoderAttentions: decoded.seen.maps,
    crossAttentions: decoded.seen.crossMaps,
  }
}

// ---------------------------------------------------------------- models

const generationConfigName = 'generation_config.json'

const family: Family<T5Config> = {
  parseConfig: parseT5Config,
  names: t5Names,
  // Whether the output layer is the embedding is for the file to say: old configurations do not know, new ones may err.
  async settle(config, source) {
    const separate = source.has('lmHead.weight')
    const tied = !separate || (config.tieWordEmbeddings && (await source.equal('lmHead.weight', 'shared.weight')))
    return { ...config, tieWordEmbeddings: tied }
  },
}

/** Base of the T5 classes. */
export abstract class T5Model extends PreTrainedModel<T5Config> {
  static readonly family = family
  static readonly head: RegExp | null = null

  protected override savedConfig(): ConfigJson {
    const { modelType } = this.config
    const architecture = this.constructor.name.replace(/^T5/, modelType.toUpperCase())
    return { model_type: modelType, ...super.savedConfig(), architectures: [architecture] }
  }

  protected nextRun({ outputHiddenStates = false, outputAttentions = false }: OutputOptions): T5Run {
    return { pass: this.nextPass(), outputHiddenStates, outputAttentions, checkpointing: this.gradientCheckpointing }
  }
}

export interface T5Inputs extends Partial<T5EncoderInputs>, OutputOptions {
  /** Instead of inputIds: what `encode` gave. */
  readonly encoderOutputs?: T5Encoded
  /** (B, T) ids of the target. @default the labels, shifted right */
  readonly decoderInputIds?: ArrayInput
  /** (B, T), 1 where a target token may be attended to. Not derived from ids: padding and start token are one. @default all 1 */
  readonly decoderAttentionMask?: ArrayInput
  /** (B, T) ids that the decoder is to predict; −100 is ignored. */
  readonly labels?: ArrayInput
  /** Gives logits, which the loss alone does not need. @default whether there are no labels */
  readonly outputLogits?: boolean
}

export interface T5GenerateInputs extends T5EncoderInputs {
  /** (B, T) ids that each decoder starts with, the start token included. @default the start token */
  readonly decoderInputIds?: ArrayInput | undefined
  /** (B, T), 0 where `decoderInputIds` are padding, which can only be on the left. @default all 1 */
  readonly decoderAttentionMask?: ArrayInput | undefined
}

/** Checks what is to be generated from. */
function generateInputs(inputs: T5GenerateInputs, vocabSize: number): search.GenerateInputs {
  const op = 'generate'
  const ids = idsOf(op, inputs)
  expectTokens(op, 'inputIds', ids)
  expectBelow(op, 'inputIds', ids, vocabSize)
  const [batch, length] = ids.shape as [number, number]
  const attentionMask = Uint8Array.from(maskOf(op, 'attentionMask', inputs.attentionMask, ids.shape))
  const encoder = { inputIds: ids.data, attentionMask, batch, length }
  if (inputs.decoderInputIds === undefined) {
    if (inputs.decoderAttentionMask === undefined) return { encoder }
    throw new ShapeError('generate: expected decoderInputIds with decoderAttentionMask, got none')
  }
  const prompts = integers(op, 'decoderInputIds', inputs.decoderInputIds, [batch, 'length'])
  expectTokens(op, 'decoderInputIds', prompts)
  expectBelow(op, 'decoderInputIds', prompts, vocabSize)
  const columns = prompts.shape[1] as number
  const rowsOfPrompts = (data: Int32Array) =>
    Array.from({ length: batch }, (_, b) => data.slice(b * columns, (b + 1) * columns))
  const mask = maskOf(op, 'decoderAttentionMask', inputs.decoderAttentionMask, prompts.shape)
  return { encoder, prompts: rowsOfPrompts(prompts.data), promptPadding: rowsOfPrompts(mask).map(paddingOf) }
}

/** How many tokens are padding: what is generated goes on from the last one, so that padding stands before the first. */
function paddingOf(mask: Int32Array, row: number): number {
  const first = mask.indexOf(1)
  if (first >= 0 && mask.indexOf(0, first) < 0) return first
  throw new DataError(
    `generate: expected decoderAttentionMask with padding on the left alone, got ${mask.join(' ')} in row ${row}`,
  )
}

export interface T5Output extends T5Seen {
  /** () float32, mean over the labels that count, in nats; null without labels. */
  readonly loss: Tensor | null
  /** (B, T, vocabSize); zeros where decoderAttentionMask is 0. */
  readonly logits: Tensor | null
}

/**
 * T5 with its language-model head: text in, text out.
 *
 * @see Raffel et al. 2020. https://arxiv.org/abs/1910.10683
 */
export class T5ForConditionalGeneration extends T5Model implements search.GenerativeModel {
  readonly trunk: T5Trunk
  /** What `generate` takes where it is not told otherwise; `fromPretrained` reads it from generation_config.json. */
  generationConfig: search.GenerationDefaults
  #generationText: string | undefined
  /** (vocabSize, dModel): the embedding itself, or a matrix of its own. */
  readonly #headWeight: LinearWeight

  constructor(config: T5Config, options?: ModelOptions) {
    super(config, options)
    const { dModel, vocabSize, initializerFactor } = config
    this.trunk = new T5Trunk(this.build, config, { withDecoder: true })
    const init = normal(initializerFactor * dModel ** -0.5)
    const head = config.tieWordEmbeddings
      ? this.trunk.shared.weight
      : new Linear(this.build.at('lmHead'), { inputs: dModel, outputs: vocabSize, init }).weight
    this.#headWeight = this.build.owns(new LinearWeight(head))
    this.generationConfig = this.#generationConfig(null)
  }

  get vocabSize(): number {
    return this.config.vocabSize
  }

  /**
   * Generates text for each source: greedily, by sampling or with beams.
   *
   * @param inputs or the promise of them that a tokenizer's `encode` gives.
   * @throws {ConfigError} for options that are unknown, out of their range or contradict each other.
   * @throws {ShapeError, DTypeError, IndexError, DataError} for inputs that are not what they should be.
   * @throws the signal's reason when `options.signal` is aborted.
   */
  async generate(
    inputs: T5GenerateInputs | PromiseLike<T5GenerateInputs>,
    options?: search.GenerateOptions,
  ): Promise<search.GenerateOutput> {
    return search.generate(this, generateInputs(await inputs, this.vocabSize), options)
  }

  /**
   * Generates as `generate` does, without beams, and gives tokens as they are found. Ends with what `generate` gives.
   *
   * @throws at the call, for inputs and options that are not what they should be.
   */
  generateStream(
    inputs: T5GenerateInputs,
    options?: search.GenerateOptions,
  ): AsyncGenerator<search.TokenStep, search.GenerateOutput> {
    return search.generateStream(this, generateInputs(inputs, this.vocabSize), options)
  }

  /** Encodes the sources and makes room for what `capacity` says will be decoded: what every search begins with. */
  startDecoding(inputs: search.EncoderInputs, capacity: search.DecoderCapacity): T5Decoding {
    const shape = [inputs.batch, inputs.length]
    const pass = { training: false, seed: 0, step: 0 }
    const run = { pass, outputHiddenStates: false, outputAttentions: false, checkpointing: false }
    const encoded = this.trunk.encode(
      'generate',
      { inputIds: { data: inputs.inputIds, shape }, attentionMask: { data: inputs.attentionMask, shape } },
      run,
    )
    return new T5Decoding(this, encoded, capacity)
  }

  /** @internal */
  override async readFolder(folder: string): Promise<void> {
    const own = await readOptionalJson(folder, generationConfigName)
    this.#generationText = own?.text
    this.generationConfig = this.#generationConfig(own?.value ?? null)
  }

  protected override savedConfig(): ConfigJson {
    const { tieWordEmbeddings, scaleDecoderOutputs } = this.config
    // Versions differ in which of the two they go by.
    return {
      ...super.savedConfig(),
      tie_word_embeddings: tieWordEmbeddings,
      scale_decoder_outputs: scaleDecoderOutputs,
    }
  }

  protected override savedFiles(): Record<string, string> {
    const json = this.generationConfig.toJson() as JsonObject
    return { [generationConfigName]: formatJson(json, this.#generationText) }
  }

  #generationConfig(own: Readonly<Record<string, unknown>> | null): search.GenerationDefaults {
    const { json, padTokenId, decoderStartTokenId, eosTokenId } = this.config
    const special = { pad_token_id: padTokenId, decoder_start_token_id: decoderStartTokenId, eos_token_id: eosTokenId }
    const said = Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null))
    return search.GenerationDefaults.ofModel({ ...special, ...said }, own)
  }

  /** Runs the encoder alone: several decodings, or the steps of one, read its result. The caller disposes of `hidden`. */
  encode(inputs: T5EncoderInputs): T5Encoded {
    const run = this.nextRun({})
    return this.scope(() => {
      const { hidden, rows } = this.trunk.encode(this.constructor.name, inputs, run)
      return { hidden, rows }
    })
  }

  /**
   * @throws {ShapeError, DTypeError, IndexError, DataError} for inputs that are not what they should be.
   */
  forward(inputs: T5Inputs): T5Output {
    const op = this.constructor.name
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const encoded = this.#encoded(op, inputs, run)
      const { ids, labels, rows } = this.#targets(op, inputs, encoded)
      const decoded = { rows, ...this.trunk.decode(ids, rows, encoded, run) }
      const hidden = this.#scaled(decoded.hidden)
      const wanted = inputs.outputLogits ?? labels === null
      return {
        loss: labels && this.#loss(hidden, packed(labels.data, rows.packing.index)),
        logits: wanted ? rows.unpack(this.#logits(hidden)) : null,
        ...seenBy(encoded, decoded),
      }
    })
  }

  /** @param hidden (N, dModel), after the decoder's final norm. @returns (N, vocabSize). */
  logits(hidden: Tensor): Tensor {
    return this.#logits(this.#scaled(hidden))
  }

  /** As `logits`, where only each row's best token counts. @param banned tokens that must not be it. @returns (N) int32. */
  bestTokens(hidden: Tensor, banned: readonly number[]): Tensor {
    return this.#headWeight.argmax(inDType(this.#scaled(hidden), this.computeDtype), banned)
  }

  #logits(scaled: Tensor): Tensor {
    const x = inDType(scaled, this.computeDtype)
    return inDType(ops.linear(x, this.#headWeight.for(x)), 'float32')
  }

  #encoded(op: string, { inputIds, shape, attentionMask, encoderOutputs }: T5Inputs, run: T5Run) {
    if (encoderOutputs) return { ...encoderOutputs, seen: null }
    if (!inputIds) throw new ShapeError(`${op}: expected inputIds or encoderOutputs, got neither`)
    return this.trunk.encode(op, { inputIds, shape, attentionMask }, run)
  }

  #targets(op: string, inputs: T5Inputs, encoded: T5Encoded) {
    const labels = inputs.labels ? integers(op, 'labels', inputs.labels, [encoded.rows.packing.batch, 'length']) : null
    if (labels) expectBelow(op, 'labels', labels, this.config.vocabSize, ignored)
    const given = inputs.decoderInputIds ?? (labels && shiftRight(labels, this.config))
    if (!given) throw new ShapeError(`${op}: expected decoderInputIds or labels, got neither`)
    const ids = this.trunk.decoderIds(op, 'decoderInputIds', given, encoded)
    if (labels && labels.shape[1] !== ids.shape[1]) {
      throw new ShapeError(`${op}: expected labels (${ids.shape.join(', ')}), got (${labels.shape.join(', ')})`)
    }
    const mask = maskOf(op, 'decoderAttentionMask', inputs.decoderAttentionMask, ids.shape)
    const { outputLogits = labels === null, outputHiddenStates, outputAttentions } = inputs
    const lossAlone = labels && !outputLogits && !outputHiddenStates && !outputAttentions
    if (lossAlone && !inputs.decoderAttentionMask) dropAfterLastLabel(mask, labels)
    // A masked target token is no key, but a label may ask for it.
    return { ids, labels, rows: rowsOf(ids, mask, (i) => labels !== null && labels.data[i] !== ignored) }
  }

  /** T5 1.0, whose output layer is the embedding, makes up for the embedding's scale. */
  #scaled(hidden: Tensor): Tensor {
    return this.config.scaleDecoderOutputs ? ops.scale(hidden, this.config.dModel ** -0.5) : hidden
  }

  #loss(hidden: Tensor, labels: Int32Array): Tensor {
    const kept = Int32Array.from(labels.keys()).filter((row) => labels[row] !== ignored)
    const wanted = kept.length === labels.length ? hidden : ops.gatherRows(hidden, Tensor.from(kept))
    const x = inDType(wanted, this.computeDtype)
    return ops.linearCrossEntropy(x, this.#headWeight.tensorFor(x), null, Tensor.from(packed(labels, kept)))
  }
}

/** No token sees later ones, so those after the last label that counts change nothing. */
function dropAfterLastLabel(mask: Int32Array, { data, shape }: IntegerGrid): void {
  const [batch, length] = shape as [number, number]
  for (let b = 0; b < batch; b++) {
    for (let t = length - 1; t >= 0 && data[b * length + t] === ignored; t--) mask[b * length + t] = 0
  }
}

export interface T5EncoderOutput {
  /** (B, T, dModel), after the final norm; zeros where attentionMask is 0. */
  readonly lastHiddenState: Tensor
  /** (B, T, dModel) each: the embeddings, then each block's result; the last one before the final norm. */
  readonly hiddenStates: readonly Tensor[] | null
  /** (B, H, T, T) each, a block after the other. */
  readonly attentions: readonly Tensor[] | null
}

/** T5's encoder alone. */
export class T5EncoderModel extends T5Model {
  static readonly leftOut = /^(decoder|lm_head)\./
  readonly trunk: T5Trunk

  constructor(config: T5Config, options?: ModelOptions) {
    super(config, options)
    this.trunk = new T5Trunk(this.build, config, { withDecoder: false })
  }

  forward(inputs: T5EncoderInputs & OutputOptions): T5EncoderOutput {
    const run = this.nextRun(inputs)
    return this.scope(() => {
      const { hidden, rows, seen } = this.trunk.encode(this.constructor.name, inputs, run)
      return {
        lastHiddenState: rows.unpack(hidden),
        hiddenStates: unpackAll(rows, seen.states),
        attentions: seen.maps,
      }
    })
  }
}
