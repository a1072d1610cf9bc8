/** How texts that are too long are cut. */
export interface TruncationOptions {
  /** Cuts texts to `maxLength` tokens. @default false: the model refuses texts that are too long */
  readonly truncation?: boolean
  /** Tokens, special ones included. @default the tokenizer's `modelMaxLength` */
  readonly maxLength?: number
}
