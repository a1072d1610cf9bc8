// A tiny T5 with dropout and endless data for it, for the tests of training.
import { optim, parseT5Config, T5ForConditionalGeneration, type T5Inputs, train } from '../../lib/index.ts'

export const config = parseT5Config({
  ...{ model_type: 't5', vocab_size: 23, d_model: 8, d_kv: 4, d_ff: 12, num_heads: 2, num_layers: 2 },
  ...{ dropout_rate: 0.1, feed_forward_proj: 'gated-gelu', tie_word_embeddings: false },
})

/** Batches of two texts of five tokens, the last reversed as labels; the position is the number of batches so far. */
export class Batches implements train.BatchSource<T5Inputs> {
  #given = 0

  /** @param length number of batches. */
  constructor(readonly length = Infinity) {}

  state(): { given: number } {
    return { given: this.#given }
  }

  restore({ given }: { given: number }): void {
    this.#given = given
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T5Inputs> {
    while (this.#given < this.length) yield batchOf(this.#given++)
  }
}

export function batchOf(number: number): T5Inputs {
  const row = (b: number) => [1, 2, 3, 4, 5].map((t) => 3 + ((number * 7 + b * 5 + t * t * (number + 1)) % 19))
  return { inputIds: [row(0), row(1)], labels: [[...row(0)].reverse(), [...row(1)].reverse()] }
}

export interface Setup {
  readonly model: T5ForConditionalGeneration
  readonly optimizer: optim.Optimizer
  readonly options: train.TrainerOptions<T5Inputs>
}

/** What a run needs, made anew in the same way each time. */
export function setup(more: Partial<train.TrainerOptions<T5Inputs>> = {}): Setup {
  const model = new T5ForConditionalGeneration(config, { seed: 5 })
  const optimizer = new optim.AdamW(optim.parameterGroups(model.namedParameters(), { weightDecay: 0.01 }))
  const options = {
    objective: train.lossObjective(model),
    optimizer,
    data: new Batches(),
    lr: 0.01,
    schedule: { type: 'linear', warmupSteps: 3, totalSteps: 40 },
    seed: 11,
    ...more,
  } as const
  return { model, optimizer, options }
}

/** All values of the parameters as bytes. */
export async function bytesOf(model: T5ForConditionalGeneration): Promise<string> {
  const parts: Uint8Array[] = []
  for (const [, tensor] of model.namedParameters()) {
    const { buffer, byteOffset, byteLength } = await tensor.data()
    parts.push(new Uint8Array(buffer, byteOffset, byteLength))
  }
  return Buffer.concat(parts).toString('hex')
}
