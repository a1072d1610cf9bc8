import { gatedCases, unaryCases } from './activation.ts'
import { adjustLogitsCases } from './adjust-logits.ts'
import { attentionCases } from './attention.ts'
import { attentionDecodeCases } from './attention-decode.ts'
import type { Case } from './case.ts'
import { dropoutCases } from './dropout.ts'
import { elementwiseCases, storageCases } from './elementwise.ts'
import { gemmCases } from './gemm.ts'
import { linearArgmaxCases } from './linear-argmax.ts'
import { lossCases } from './losses.ts'
import { normCases } from './norm.ts'
import { optimizerCases } from './optimizer.ts'
import { reduceCases } from './reduce.ts'
import { rowsCases } from './rows.ts'
import { samplingCases } from './sampling.ts'
import { softmaxCases } from './softmax.ts'
import { sparseLinearCases } from './sparse-linear.ts'
import { viewCases } from './view.ts'

/** Every case of every op family, one line each. */
export const cases: readonly Case[] = [
  ...attentionCases,
  ...attentionDecodeCases,
  ...elementwiseCases,
  ...storageCases,
  ...unaryCases,
  ...gatedCases,
  ...dropoutCases,
  ...gemmCases,
  ...linearArgmaxCases,
  ...lossCases,
  ...normCases,
  ...optimizerCases,
  ...reduceCases,
  ...rowsCases,
  ...softmaxCases,
  ...sparseLinearCases,
  ...viewCases,
  ...samplingCases,
  ...adjustLogitsCases,
]
