import type { DeviceName } from '../device.ts'
import type { Tensor } from '../tensor.ts'
import type { GenerationDefaults } from './defaults.ts'

/** What an encoder reads, padded to a rectangle. */
export interface EncoderInputs {
  /** (batch · length) token ids, row-major. */
  readonly inputIds: Int32Array
  /** (batch · length), 1 where a token is real; any pattern. */
  readonly attentionMask: Uint8Array
  readonly batch: number
  readonly length: number
}

/** What a decoder makes room for. */
export interface DecoderCapacity {
  /** Most rows that `select` will ask for. */
  readonly rows: number
  /** Most tokens that a row will be fed. */
  readonly length: number
  /** How many tokens at the beginning of each sentence's prompt are padding, which nothing attends to. @default none */
  readonly promptPadding?: readonly number[] | undefined
}

/** An encoder-decoder that text can be generated from. */
export interface GenerativeModel {
  /** Where it computes. */
  readonly device: DeviceName
  readonly vocabSize: number
  readonly generationConfig: GenerationDefaults
  /** Queues the encoder and makes a decoder with one row for each sentence and nothing fed to it. */
  startDecoding(inputs: EncoderInputs, capacity: DecoderCapacity): DecoderState
}

/**
 * A decoder in the middle of its sequences: rows, each with a sentence it attends to and the tokens fed so far, whose keys
 * and values are kept. Calls queue work and do not wait. All are made without a tape, inside a scope that disposes of what
 * they do not `keep`.
 */
export interface DecoderState {
  readonly device: DeviceName
  /**
   * Feeds each row its next tokens, any number from 1, and computes the logits of what follows.
   *
   * @param tokens one list for each row; or (rows) int32, one token for each, whether or not they were read yet.
   * @param wanted 'last': of the token after each row's last one; 'all': after every token fed.
   * @returns (rows, V), or (all tokens, V), row by row; what stands for padding means nothing.
   */
  step(tokens: readonly ArrayLike<number>[] | Tensor, wanted: 'last' | 'all'): Tensor
  /**
   * As `step` with 'last', where only each row's best token counts: a model may find it without all logits.
   *
   * @param tokens as for `step`.
   * @param banned tokens that must not be it.
   * @returns (rows) int32; of equal ones the lowest.
   */
  best(tokens: readonly ArrayLike<number>[] | Tensor, banned: readonly number[]): Tensor
  /**
   * Makes row i what row rows[i] was, for every i; rows may repeat, and those not named are gone. Copies no cache.
   *
   * @param rows numbers; or (rows) int32, whether or not they were read yet: as many rows as there are, each of which
   *   continues one of its own sentence that is as long.
   */
  select(rows: readonly number[] | Tensor): void
  /** Takes back what row i was fed beyond lengths[i] tokens. */
  truncate(lengths: readonly number[]): void
  /** Gives all memory back; doing it twice does nothing. */
  dispose(): void
}
