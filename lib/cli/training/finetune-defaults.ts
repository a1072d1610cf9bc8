import type { ConfigJson } from '../../models/config.ts'
import type { AdamWOptions } from '../../optim/index.ts'
import type { TextTask } from '../../tasks/index.ts'
import type { optimizers, schedules } from './flags.ts'
import type { HeadTask } from './heads.ts'

interface Recipe {
  readonly optimizer: (typeof optimizers)[number]
  readonly adamw: AdamWOptions
  readonly lr: number
  readonly layerwiseDecay: number
  readonly weightDecay: number
  readonly schedule: (typeof schedules)[number]
  /** Part of the steps that the rate rises over. */
  readonly warmup: number
}

/** What fine-tuning does unless it is told otherwise: as the papers fine-tuned these models. */
export function finetuneDefaults(task: HeadTask | TextTask, json: ConfigJson) {
  const recipe = json.model_type === 'electra' ? electraRecipe(json) : t5Recipe
  return {
    ...recipe,
    batchSize: 32,
    accumulate: 1,
    epochs: task === 'regression' ? 10 : task === 'question-answering' ? 2 : 3,
    maxLength: typeof task === 'object' ? 512 : task === 'question-answering' ? 384 : 128,
    docStride: 128,
    maxAnswerLength: 30,
    maxGradNorm: 1,
    onNonFinite: 'skip' as 'skip' | 'stop',
    activationCheckpointing: false,
    seed: 0,
    keepLast: 1,
    resume: false,
    overwrite: false,
  }
}

/** Clark et al. 2020, appendix B; base lies at 768, large at 1,024. */
function electraRecipe({ hidden_size: hiddenSize = 256 }: ConfigJson): Recipe {
  const size = Number(hiddenSize)
  return {
    optimizer: 'adamw',
    adamw: { eps: 1e-6, biasCorrection: false },
    lr: size < 768 ? 3e-4 : size < 1024 ? 1e-4 : 5e-5,
    layerwiseDecay: size < 1024 ? 0.8 : 0.9,
    weightDecay: 0,
    schedule: 'electraLinear',
    warmup: 0.1,
  }
}

/** Raffel et al. 2020, section 3.1.2. */
const t5Recipe: Recipe = {
  optimizer: 'adafactor',
  adamw: {},
  lr: 1e-3,
  layerwiseDecay: 1,
  weightDecay: 0,
  schedule: 'constant',
  warmup: 0,
}
