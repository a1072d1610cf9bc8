import { type ResolveOptions, resolveModelFolder } from '../checkpoint/resolve.ts'
import { readFiles } from '../tokenizers/files.ts'
import { Tokenizer } from '../tokenizers/tokenizer.ts'

/** Loads tokenizers of any model from a Hugging Face folder, or from the hub. */
export const AutoTokenizer = {
  /**
   * Reads tokenizer.json and, where they are present, tokenizer_config.json and special_tokens_map.json; of a hub
   * repository, no weights are downloaded.
   *
   * @param idOrPath a folder, or `org/name` of the hub.
   * @throws {CheckpointError} if tokenizer.json is missing, or a file is malformed; for a hub id, as `fromPretrained` of a
   *   model.
   */
  async fromPretrained(idOrPath: string, options: Omit<ResolveOptions, 'weights'> = {}): Promise<Tokenizer> {
    const folder = await resolveModelFolder(idOrPath, { ...options, weights: false })
    return Tokenizer.fromFiles(await readFiles(folder), folder)
  },
} as const
