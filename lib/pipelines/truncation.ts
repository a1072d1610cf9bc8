import type { BatchEncoding } from '../tokenizers/encoding.ts'
import type { TextInput } from '../tokenizers/options.ts'
import { flag, integer, type OptionChecks } from './options.ts'
import type { TaskContext } from './task.ts'

/** How texts that are too long are cut. */
export interface TruncationOptions {
  /** Cuts texts to `maxLength` tokens. @default false: the model refuses texts that are too long */
  readonly truncation?: boolean
  /** Tokens, special ones included. @default the tokenizer's `modelMaxLength` */
  readonly maxLength?: number
}

export const truncationChecks: OptionChecks<TruncationOptions> = { truncation: flag, maxLength: integer(1) }

/** Texts as a batch, on the right of whose rows the padding is: positions count from a text's first token. */
export function encodeTexts(
  { tokenizer }: TaskContext<unknown>,
  texts: readonly TextInput[],
  { truncation, maxLength }: TruncationOptions,
): Promise<BatchEncoding> {
  return tokenizer.encode(texts, {
    paddingSide: 'right',
    ...(truncation !== undefined && { truncation }),
    ...(maxLength !== undefined && { maxLength }),
  })
}
