import { ConfigError, describe } from '../errors.ts'
import { expectValid, type GenerationConfig, isGenerationKey, resolveConfig } from './config.ts'

// Keys of generation_config.json that would change what is generated and that are not offered, with the values at which
// they change nothing.
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  guidance_scale: [1],
  penalty_alpha: [0],
  num_beam_groups: [1],
  diversity_penalty: [0],
  constraints: [],
  force_words_ids: [],
  dola_layers: [],
  watermarking_config: [],
  token_healing: [false],
  assistant_early_exit: [],
}

/** Whether an option, in camelCase, is one of Hugging Face's that is not offered. */
export function isUnsupported(option: string): boolean {
  return Object.hasOwn(unsupported, snakeCase(option))
}

const camelCase = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
const snakeCase = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What a checkpoint says of generation: its generation_config.json. */
export class GenerationDefaults {
  private constructor(
    /** Values that stand where `generate` is not given others; may be changed. */
    readonly values: Partial<GenerationConfig>,
    /** Keys of the file that mean nothing here; they are saved again. */
    private readonly rest: Readonly<Record<string, unknown>>,
  ) {}

  /**
   * @param json contents of a generation_config.json; of a config.json of older checkpoints, its generation keys.
   * @throws {ConfigError} if a known key has a value out of its range.
   */
  static fromJson(json: Readonly<Record<string, unknown>> = {}): GenerationDefaults {
    const values: Record<string, unknown> = {}
    const rest: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(json)) {
      if (!isGenerationKey(camelCase(key))) rest[key] = value
      else if (value !== null) values[camelCase(key)] = value
    }
    expectValid(values)
    return new GenerationDefaults(values, rest)
  }

  /**
   * What a config.json says of generation, for keys that a generation_config.json leaves out: ids of special tokens, and
   * the settings that older checkpoints have there.
   *
   * @param own of the checkpoint's generation_config.json; null where there is none.
   */
  static ofModel(
    json: Readonly<Record<string, unknown>>,
    own: Readonly<Record<string, unknown>> | null,
  ): GenerationDefaults {
    const special = /^(pad|bos|eos|decoder_start)_token_id$/
    const entries = Object.entries(json).filter(([key]) =>
      own === null ? isGenerationKey(camelCase(key)) : special.test(key) && (own[key] ?? null) === null,
    )
    return GenerationDefaults.fromJson({ ...own, ...Object.fromEntries(entries) })
  }

  /** The contents of a generation_config.json, unknown keys included. */
  toJson(): Record<string, unknown> {
    const own = Object.entries(this.values).filter(([, value]) => value !== undefined && value !== null)
    return { ...this.rest, ...Object.fromEntries(own.map(([key, value]) => [snakeCase(key), value])) }
  }

  /**
   * The configuration of one call.
   *
   * @throws {ConfigError} if a value is out of its range, or the checkpoint asks for something that is not offered.
   */
  resolve(options: Partial<GenerationConfig>): GenerationConfig {
    for (const [key, neutral] of Object.entries(unsupported)) {
      const value = this.rest[key]
      if (value === undefined || value === null || neutral.includes(value)) continue
      throw new ConfigError(
        `generate: expected a generation_config.json without ${key}, got ${describe(value)}; it is not supported`,
      )
    }
    return resolveConfig(options, this.values)
  }
}
