import { noGrad } from '../../autograd/grad-mode.ts'
import { batch, datasetOf, map, prefetch, type Stream, sample } from '../../data/index.ts'
import { scope } from '../../scope.ts'
import type { Tensor } from '../../tensor.ts'
import type { BatchEncoding, Encoding } from '../../tokenizers/encoding.ts'
import type { TextInput } from '../../tokenizers/options.ts'
import type { Tokenizer } from '../../tokenizers/tokenizer.ts'

/** What a model is fine-tuned for: how examples become batches, and how well it does on others. */
export interface Head<E, B> {
  /** What a batch is made of. */
  collate(examples: readonly E[]): B
  /** Scores of the model, as shares or correlations. */
  evaluate(examples: readonly E[], batchSize: number): Promise<Record<string, number>>
  /** The score that tells which model is best. */
  readonly metric: string
}

/** Batches of examples, each epoch in another order. */
export function batchesOf<E, B>(
  head: Head<E, B>,
  examples: readonly E[],
  { batchSize, seed = 0, epochs = Infinity }: { batchSize: number; seed?: number; epochs?: number },
): Stream<B> {
  const batches = sample(datasetOf(examples), { seed, epochs })
    .through(batch(batchSize))
    .through(map((group) => head.collate(group)))
  return prefetch(batches, 2)
}

/** Encoded before training: the same texts come again in each epoch. */
export async function encoded(
  tokenizer: Tokenizer,
  texts: readonly TextInput[],
  maxLength: number,
): Promise<Encoding[]> {
  const encodings: Encoding[] = []
  for (let at = 0; at < texts.length; at += textsPerCall) {
    const part = texts.slice(at, at + textsPerCall)
    const { encodings: own } = (await tokenizer.encode(part, { truncation: true, maxLength })) as BatchEncoding
    encodings.push(...own)
  }
  return encodings
}

const textsPerCall = 256

/** Parts of at most `size`, in their order. */
export function* parts<T>(values: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < values.length; at += size) yield values.slice(at, at + size)
}

/** The values of a forward pass without a tape; nothing else of it stays. */
export async function valuesOf(forward: () => Tensor): Promise<Float32Array> {
  const tensor = noGrad(() => scope(forward))
  try {
    return (await tensor.data()) as Float32Array
  } finally {
    tensor.dispose()
  }
}

/** Number of the largest of `count` values from `start` on. */
export function argmaxAt(values: Float32Array, start: number, count: number): number {
  let best = 0
  for (let i = 1; i < count; i++) if ((values[start + i] as number) > (values[start + best] as number)) best = i
  return best
}
