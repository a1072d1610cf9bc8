import { formatJson, type JsonObject } from '../checkpoint/json.ts'
import { openWeights, readJson } from '../checkpoint/model-folder.ts'
import type { KeyMap } from '../checkpoint/names.ts'
import { type ResolveOptions, resolveModelFolder } from '../checkpoint/resolve.ts'
import { type SaveFolderOptions, saveFolder } from '../checkpoint/save-folder.ts'
import { type DeviceName, device, withDevice } from '../device.ts'
import type { DType } from '../dtype.ts'
import { ConfigError, describe } from '../errors.ts'
import { type ComputeDType, ParameterBuilder, type Pass, RandomSource } from '../nn/index.ts'
import { scope } from '../scope.ts'
import type { Tensor } from '../tensor.ts'
import { CheckpointSource } from './checkpoint-source.ts'
import type { ConfigJson } from './config.ts'

export interface ModelOptions {
  /** Of the initial parameters. @default 0 */
  readonly seed?: number
  /** Where the model computes. @default the default device */
  readonly device?: DeviceName | 'auto'
  /** Number of the first place that draws random numbers, where another model of the step has those below. @default 0 */
  readonly firstSite?: number
  /** @internal Where parameters come from, instead. */
  readonly build?: ParameterBuilder
}

export interface PretrainedOptions extends Omit<ResolveOptions, 'weights'> {
  /** Where the model computes. @default the default device */
  readonly device?: DeviceName | 'auto'
  /** How weights are held; 16-bit ones are for inference, and computed with in float32. @default 'float32' */
  readonly dtype?: 'float32' | 'float16' | 'bfloat16'
  /** Of a head that the checkpoint does not have. @default 0 */
  readonly seed?: number
  /** Keys that are to differ from config.json, such as the labels of a new head. @default none */
  readonly config?: ConfigJson
}

/** How a model is saved; the meaning of each is that of `saveSafetensors`. */
export type SavePretrainedOptions = Pick<SaveFolderOptions, 'dtype' | 'maxShardSize' | 'signal'>

/** Where dropout draws its random numbers. */
export interface RandomState {
  /** Of the run; micro-batch and rank go into it. */
  seed: number
  /** Step of the training. */
  step: number
}

/** What loading a checkpoint left open. */
export interface LoadReport {
  /** Parameters that the file does not have: those of a head, which start from random numbers. */
  readonly missing: readonly string[]
  /** Tensors of the file that the model does not have. */
  readonly unexpected: readonly string[]
}

/** What the classes of a family share. */
export interface Family<C> {
  parseConfig(json: ConfigJson): C
  readonly names: KeyMap
  /** The configuration once the file is known: which of its matrices are one. */
  settle(config: C, source: CheckpointSource): Promise<C>
}

/** A class of models, as loading needs it. */
export interface ModelClass<M, C> {
  new (config: C, options?: ModelOptions): M
  readonly family: Family<C>
  /** Paths of parameters that a checkpoint of another head does not have; null where there is no head. */
  readonly head: RegExp | null
  /** Names in files of what a whole model has and this part of it leaves out. @default none */
  readonly leftOut?: RegExp
}

/** Base of all models: parameters, modes, loading. */
export abstract class PreTrainedModel<C extends { readonly json: ConfigJson }> {
  readonly config: C
  /** Set by `fromPretrained`. */
  loadReport: LoadReport = { missing: [], unexpected: [] }
  /** Blocks keep their inputs alone, and compute the rest again in backward: less memory, a third more time. */
  gradientCheckpointing = false
  /** @internal Text of the config.json that the model was loaded with: numbers keep their spelling. */
  configText: string | undefined
  protected readonly build: ParameterBuilder
  #training = true
  #random: RandomState = { seed: 0, step: 0 }

  constructor(config: C, options: ModelOptions = {}) {
    this.config = config
    const on = options.device && device(options.device).name
    this.build = options.build ?? ParameterBuilder.from(new RandomSource(options.seed ?? 0, on), options.firstSite)
  }

  /**
   * What products and attention are computed in: 'bfloat16' and 'float16' read their operands in 16 bits and sum in float32.
   * Parameters, their gradients, norms and the sum over layers stay float32, and so do T5's output projections of
   * feed-forward layers in 'float16', which would overflow. 'float16' trains with a loss scale. @default 'float32'
   */
  get computeDtype(): ComputeDType {
    return this.build.compute.dtype
  }

  set computeDtype(dtype: ComputeDType) {
    if (!['float32', 'bfloat16', 'float16'].includes(dtype)) {
      throw new ConfigError(`computeDtype: expected float32, bfloat16 or float16, got ${describe(dtype)}`)
    }
    this.build.compute.dtype = dtype
  }

  /** Whether dropout is on: yes after construction, no after `fromPretrained`. */
  get training(): boolean {
    return this.#training
  }

  /** Turns dropout on. */
  train(mode = true): this {
    this.#training = mode
    return this
  }

  /** Turns dropout off. */
  eval(): this {
    return this.train(false)
  }

  /**
   * Sets where dropout draws from in the next forward pass; passes after that take the steps that follow.
   * The same seed and step draw the same masks.
   */
  setRandom({ seed, step }: RandomState): void {
    this.#random = { seed, step }
  }

  /** All parameters under the names that Hugging Face gives them, in its order; one that is used twice has one name. */
  namedParameters(): Map<string, Tensor> {
    const { names } = (this.constructor as unknown as ModelClass<this, C>).family
    return new Map([...this.build.parameters].map(([path, tensor]) => [names.nameOf(path), tensor]))
  }

  parameters(): Tensor[] {
    return [...this.build.parameters.values()]
  }

  /** Where the parameters lie, and all that the model computes. */
  get device(): DeviceName {
    return this.build.device
  }

  numParameters(): number {
    return this.parameters().reduce((sum, tensor) => sum + tensor.size, 0)
  }

  /** Number that the next place that draws random numbers would have. */
  get nextSite(): number {
    return this.build.nextSite
  }

  /** Gives the memory of all parameters back. */
  dispose(): void {
    this.build.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /**
   * Saves the model as a folder that the Hugging Face libraries load: config.json with the keys that it was read with, and
   * the weights under their names there. What appears is whole; files of other names in the folder stay.
   *
   * @throws {CheckpointError} if the system does not take it; what was there before is then still there.
   * @throws {ConfigError} if `config` was changed without its `json`, from which config.json is written.
   * @throws {StateError} if a parameter was updated before the promise is kept.
   */
  async savePretrained(dir: string, options: SavePretrainedOptions = {}): Promise<void> {
    this.#expectConfigJson()
    const tensors = this.savedTensors()
    const dtype = options.dtype ?? this.parameters()[0]?.dtype
    const json = {
      ...this.savedConfig(),
      ...(this.config.json.torch_dtype === undefined ? {} : { torch_dtype: dtype }),
    }
    const files = { 'config.json': formatJson({ ...json, dtype } as JsonObject, this.configText), ...this.savedFiles() }
    await saveFolder(dir, files, { ...options, tensors })
  }

  /** Contents of config.json. */
  protected savedConfig(): ConfigJson {
    return { ...this.config.json, architectures: [this.constructor.name] }
  }

  /** Parameters by their names in files, with those that the model has in common with another. */
  protected savedTensors(): Map<string, Tensor> {
    return this.namedParameters()
  }

  /** Files beside config and weights. */
  protected savedFiles(): Record<string, string> {
    return {}
  }

  #expectConfigJson(): void {
    const { family } = this.constructor as unknown as ModelClass<this, C>
    const said = Object.entries(family.parseConfig(this.config.json))
    // What the file of weights decides is written; the rest of this is not part of config.json.
    const own = ['json', 'tieWordEmbeddings', 'scaleDecoderOutputs', 'dropoutBroadcast']
    for (const [key, value] of said) {
      const actual = this.config[key as keyof C]
      if (own.includes(key) || JSON.stringify(actual) === JSON.stringify(value)) continue
      throw new ConfigError(
        `savePretrained: expected config.${key} to be ${JSON.stringify(value)} as config.json says, got ${JSON.stringify(actual)}: parse the changed json instead`,
      )
    }
  }

  /** @internal Reads what a class keeps beside config and weights. */
  async readFolder(_folder: string): Promise<void> {}

  /** Runs a pass: a scope whose tensors are made where the parameters lie. */
  protected scope<T>(fn: () => T): T {
    return withDevice(this.device, () => scope(fn))
  }

  /** What the layers of the next forward pass share. */
  protected nextPass(): Pass {
    const pass = { training: this.#training, ...this.#random }
    if (this.#training) this.#random.step++
    return pass
  }

  /**
   * Loads a folder in Hugging Face's layout: config.json with model.safetensors, or shards with their index. The model is
   * in `eval` mode then.
   *
   * @param idOrPath a folder, or `org/name` of the hub.
   * @throws {ConfigError} for a config.json that is not one of the family.
   * @throws {CheckpointError} for a file that is missing, malformed, or does not have what the model needs.
   */
  static fromPretrained<M extends PreTrainedModel<C>, C extends { readonly json: ConfigJson }>(
    this: ModelClass<M, C>,
    idOrPath: string,
    options: PretrainedOptions = {},
  ): Promise<M> {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on is the one to make
    return load(this, idOrPath, options)
  }
}

/** What a model is given that is loaded as part of another. */
export interface LoadedAsPart<M, C> {
  /** May give the constructor more than the configuration. */
  make(config: C, options: ModelOptions): M
  /** Number of the first place that draws random numbers. */
  readonly firstSite: number
  /** Parameters of another model that this one has, too, by their names in files. */
  readonly shared: ReadonlyMap<string, Tensor>
}

/** @internal Loads a folder, or a repository of the hub, into a class. */
export async function load<M extends PreTrainedModel<C>, C extends { readonly json: ConfigJson }>(
  Model: ModelClass<M, C>,
  idOrPath: string,
  { device: where, dtype = 'float32', seed = 0, config: overrides, ...resolving }: PretrainedOptions,
  part?: LoadedAsPart<M, C>,
): Promise<M> {
  const on = device(where)
  expectDtype(dtype)
  const folder = await resolveModelFolder(idOrPath, resolving)
  const configFile = await readJson(folder, 'config.json')
  const config = Model.family.parseConfig({ ...configFile.value, ...overrides })
  using file = await openWeights(folder)
  const source = new CheckpointSource(file, {
    names: Model.family.names,
    dtype,
    head: Model.head,
    seed,
    device: on.name,
  })
  const build = ParameterBuilder.from(source, part?.firstSite)
  try {
    const settled = await Model.family.settle(config, source)
    const model = part ? part.make(settled, { build }) : new Model(settled, { build })
    if (part) await source.expectEqual(part.shared)
    await on.synchronize()
    await model.readFolder(folder)
    model.configText = configFile.text
    const unexpected = source.unexpected().filter((name) => !Model.leftOut?.test(name))
    model.loadReport = { missing: source.missing, unexpected }
    warnAbout(folder, model.loadReport)
    return model.eval()
  } catch (error) {
    build.dispose()
    throw error
  }
}

function expectDtype(dtype: DType): void {
  if (dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16') return
  throw new ConfigError(`fromPretrained: expected dtype to be float32, float16 or bfloat16, got ${describe(dtype)}`)
}

function warnAbout(folder: string, { missing, unexpected }: LoadReport): void {
  const list = (names: readonly string[]) => names.slice(0, 8).join(', ') + (names.length > 8 ? ', …' : '')
  if (missing.length > 0) {
    process.emitWarning(`${folder} has no ${list(missing)}: they start from random numbers and need training`)
  }
  if (unexpected.length > 0)
    process.emitWarning(`${folder} has tensors that the model does not use: ${list(unexpected)}`)
}
