import { readFiles } from './files.ts'
import { Tokenizer } from './tokenizer.ts'

/** Loads tokenizers of any model from a Hugging Face folder. */
export const AutoTokenizer = {
  /**
   * Reads tokenizer.json and, where they are present, tokenizer_config.json and special_tokens_map.json.
   *
   * @param folder path of a folder.
   * @throws {CheckpointError} if tokenizer.json is missing, or a file is malformed.
   */
  async fromPretrained(folder: string): Promise<Tokenizer> {
    return Tokenizer.fromFiles(await readFiles(folder), folder)
  },
} as const
