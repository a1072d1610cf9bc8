import { ConfigError, describe } from '../errors.ts'
import type { Activation as GemmActivation } from '../ops/index.ts'

/** config.json as it was read: keys that the library does not know survive a round trip. */
export type ConfigJson = Readonly<Record<string, unknown>>

/** A function that a layer may apply, under the name of its op. */
export type Activation = Exclude<GemmActivation, 'none'>

/** Activations by the names that configurations use; gelu_new and its relatives are the tanh form. */
export const activations: Readonly<Record<string, Activation>> = {
  relu: 'relu',
  gelu: 'geluErf',
  gelu_new: 'geluTanh',
  gelu_fast: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  silu: 'silu',
  swish: 'silu',
}

/** Reads typed values out of a config.json, with defaults for keys that are missing or null. */
export class ConfigReader {
  constructor(
    private readonly op: string,
    private readonly json: ConfigJson,
  ) {}

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null
  }

  /** An integer >= `least`. */
  integer(key: string, fallback: number, least = 1): number {
    const value = this.#value(key, fallback)
    if (Number.isSafeInteger(value) && (value as number) >= least) return value as number
    throw this.#wrong(key, `an integer >= ${least}`, value)
  }

  /** A probability in [0, 1). */
  probability(key: string, fallback: number): number {
    const value = this.#value(key, fallback)
    if (typeof value === 'number' && value >= 0 && value < 1) return value
    throw this.#wrong(key, 'a number in [0, 1)', value)
  }

  /** A number > 0. */
  positive(key: string, fallback: number): number {
    const value = this.#value(key, fallback)
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value
    throw this.#wrong(key, 'a number > 0', value)
  }

  activation(key: string, fallback: string): Activation {
    const value = String(this.#value(key, fallback))
    if (Object.hasOwn(activations, value)) return activations[value] as Activation
    throw this.#wrong(key, Object.keys(activations).join(', '), value)
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#value(key, fallback)
    if (typeof value === 'boolean') return value
    throw this.#wrong(key, 'true or false', value)
  }

  choice<T extends string>(key: string, choices: readonly T[], fallback: T): T {
    const value = this.#value(key, fallback)
    if (choices.includes(value as T)) return value as T
    throw this.#wrong(key, choices.join(', '), value)
  }

  #value(key: string, fallback: unknown): unknown {
    return this.has(key) ? this.json[key] : fallback
  }

  #wrong(key: string, expected: string, got: unknown): ConfigError {
    return new ConfigError(`${this.op}: expected ${key} to be ${expected}, got ${describe(got)}`)
  }
}

/** Number of labels, their names, and what kind of problem a classification head solves. */
export interface LabelConfig {
  readonly numLabels: number
  /** Names by number. */
  readonly id2label: readonly string[]
  /** Null: by the labels' type and number, as Hugging Face decides it. */
  readonly problemType: ProblemType | null
}

const problemTypes = ['regression', 'single_label_classification', 'multi_label_classification'] as const
export type ProblemType = (typeof problemTypes)[number]

export function labelsOf(op: string, json: ConfigJson): LabelConfig {
  const read = new ConfigReader(op, json)
  const names = json.id2label
  if (names !== undefined && names !== null && (typeof names !== 'object' || Array.isArray(names))) {
    throw new ConfigError(`${op}: expected id2label to be an object, got ${describe(names)}`)
  }
  const entries = Object.entries((names ?? {}) as Record<string, unknown>)
  const numLabels = names ? Math.max(entries.length, 1) : read.integer('num_labels', 2)
  const id2label = Array.from({ length: numLabels }, (_, i) => {
    const name = (names as Record<string, unknown> | null | undefined)?.[i]
    return typeof name === 'string' ? name : `LABEL_${i}`
  })
  return {
    numLabels,
    id2label,
    problemType: read.has('problem_type') ? read.choice('problem_type', problemTypes, 'regression') : null,
  }
}
