import { noGrad } from '../../autograd/grad-mode.ts'
import { withDevice } from '../../device.ts'
import { ConfigError, describe } from '../../errors.ts'
import type { ElectraForJointPreTraining } from '../../models/index.ts'
import type { Random } from '../../random.ts'
import { scope } from '../../scope.ts'
import type { Tensor } from '../../tensor.ts'
import { collateElectra } from '../collate.ts'
import { type ElectraExample, electraMasking } from '../objectives/electra-masking.ts'
import type { ElectraVocabulary, EncoderExample } from '../objectives/electra-segments.ts'
import { itemsOf, type Stage } from '../stream.ts'

export interface ReplaceOptions {
  readonly vocabulary: ElectraVocabulary
  /** Part of the tokens that the generator replaces, in (0, 1). @default 0.15 */
  readonly maskRate?: number
  /** A replaced token stays where the discriminator gives this probability of being replaced, or less. @default 0.5 */
  readonly maxReplacedProbability?: number
  /** The generator's logits are divided by it before a token is drawn. @default 1 */
  readonly temperature?: number
  /** Examples that go through the models at once. @default 16 */
  readonly batchSize?: number
}

/**
 * Augmentation by ELECTRA: the generator draws other tokens for some of an example's, and those that the discriminator does
 * not notice stay. Whatever else an example has, such as its label, is kept. Dropout is off meanwhile; the model's random
 * numbers are set to those of the examples.
 *
 * @throws {ConfigError} for options out of their range.
 */
export function replaceByGenerator<T extends EncoderExample>(
  model: ElectraForJointPreTraining,
  options: ReplaceOptions,
): Stage<T, T> {
  const { vocabulary, maskRate = 0.15, maxReplacedProbability = 0.5, temperature = 1, batchSize = 16 } = options
  if (!(maxReplacedProbability >= 0 && maxReplacedProbability <= 1)) {
    const got = describe(maxReplacedProbability)
    throw new ConfigError(`replaceByGenerator: expected maxReplacedProbability in [0, 1], got ${got}`)
  }
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new ConfigError(`replaceByGenerator: expected batchSize >= 1, got ${describe(batchSize)}`)
  }
  const { maxPositionEmbeddings: maxLength } = model.discriminator.config
  const mask = electraMasking({ vocabulary, maskRate, maxLength, replaceRate: 1, withReplacement: false })
  // The logit of that probability: infinite at 0 and 1.
  const most = Math.log(maxReplacedProbability / (1 - maxReplacedProbability))
  return {
    size: batchSize,
    async give(group, random) {
      const masked = group.map((item, i) => mask(item.value, random.at(i)))
      const drawn = await draw(model, masked, temperature, random)
      const values = group.map(({ value }, row) => ({ ...value, inputIds: accepted(value.inputIds, drawn, row, most) }))
      return itemsOf(values, group)
    },
  }
}

/** What the generator drew and how the discriminator judges it, (B, T) each. */
interface Drawn {
  readonly ids: Int32Array
  readonly logits: ArrayLike<number>
  readonly columns: number
}

async function draw(
  model: ElectraForJointPreTraining,
  examples: readonly ElectraExample[],
  temperature: number,
  random: Random,
): Promise<Drawn> {
  const batch = collateElectra(examples)
  const columns = batch.inputIds.shape[1]
  if (batch.labels.data.every((label) => label < 0)) {
    return { ids: batch.inputIds.data, logits: new Float32Array(batch.inputIds.data.length), columns }
  }
  const corrupted = evaluating(model, () => {
    model.setRandom({ seed: random.uint32(), step: 0 })
    return model.forward({ ...batch, temperature }).corruptedIds
  })
  const packed = await read(corrupted)
  let next = 0
  const ids = batch.attentionMask.data.map((real) => (real === 1 ? (packed[next++] as number) : 0))
  const inputs = { ...batch, inputIds: { data: ids, shape: batch.inputIds.shape } }
  const { attentionMask, tokenTypeIds, inputIds } = inputs
  const judged = evaluating(
    model,
    () => model.discriminator.forward({ inputIds, attentionMask, tokenTypeIds }).logits as Tensor,
  )
  return { ids, logits: await read(judged), columns }
}

/** Runs the model without dropout and tape. */
function evaluating(model: ElectraForJointPreTraining, run: () => Tensor): Tensor {
  const { training } = model.discriminator
  model.eval()
  try {
    return withDevice(model.discriminator.device, () => noGrad(() => scope(run)))
  } finally {
    model.train(training)
  }
}

async function read(tensor: Tensor): Promise<ArrayLike<number>> {
  try {
    return await tensor.data()
  } finally {
    tensor.dispose()
  }
}

/** The original ids, but for drawn ones that the discriminator takes for original. */
function accepted(original: Int32Array, { ids, logits, columns }: Drawn, row: number, most: number): Int32Array {
  return original.map((id, at) => {
    const cell = row * columns + at
    return (logits[cell] as number) <= most ? (ids[cell] as number) : id
  })
}
