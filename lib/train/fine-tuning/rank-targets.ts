import { noGrad } from '../../autograd/grad-mode.ts'
import { collateSeq2Seq } from '../../data/index.ts'
import { ConfigError } from '../../errors.ts'
import type { T5ForConditionalGeneration } from '../../models/index.ts'
import * as ops from '../../ops/index.ts'
import { scope } from '../../scope.ts'
import { Tensor } from '../../tensor.ts'
import { parts } from './head.ts'

export interface RankOptions {
  /** Inputs that are computed together. @default 32 */
  readonly batchSize?: number
  /** Compares means over the tokens of a target, where sums favour short ones. @default false */
  readonly perToken?: boolean
}

/**
 * Rank classification: which of several targets a model finds most likely for each input. Nothing else can come out.
 *
 * @param inputs ids of each, with the end-of-sequence token.
 * @param targets ids of each, with the end-of-sequence token.
 * @returns the number of a target for each input, and the log-probability of each target, in nats.
 * @throws {ConfigError} for fewer than two targets.
 * @see Raffel et al. 2020, section 2.4, where labels are written instead; Brown et al. 2020, section 2.4.
 */
export async function rankTargets(
  model: T5ForConditionalGeneration,
  inputs: readonly Int32Array[],
  targets: readonly Int32Array[],
  { batchSize = 32, perToken = false }: RankOptions = {},
): Promise<{ readonly target: number; readonly scores: readonly number[] }[]> {
  if (targets.length < 2) throw new ConfigError(`rankTargets: expected two targets or more, got ${targets.length}`)
  const { padTokenId } = model.config
  const ranked: { target: number; scores: number[] }[] = []
  for (const part of parts(inputs, batchSize)) {
    const columns: Float32Array[] = []
    for (const labels of targets) {
      const batch = collateSeq2Seq(
        part.map((inputIds) => ({ inputIds, labels })),
        padTokenId,
      )
      using losses = noGrad(() =>
        scope(() => {
          const { logits } = model.forward({ ...batch, outputLogits: true })
          const rows = ops.reshape(logits as Tensor, [part.length * labels.length, -1])
          return ops.crossEntropy(rows, Tensor.from(batch.labels.data, { device: rows.device }), { reduction: 'none' })
        }),
      )
      columns.push((await losses.data()) as Float32Array)
    }
    for (const row of part.keys()) {
      const scores = targets.map(({ length }, t) => {
        const own = (columns[t] as Float32Array).subarray(row * length, (row + 1) * length)
        const sum = own.reduce((total, loss) => total - loss, 0)
        return perToken ? sum / length : sum
      })
      ranked.push({ target: scores.indexOf(Math.max(...scores)), scores })
    }
  }
  return ranked
}
