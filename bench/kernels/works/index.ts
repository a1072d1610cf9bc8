// What each kernel is run with to be counted: shapes of the models, a few blocks of each, through the library's own
// launchers. Every kernel that the addon embeds must be reached by one of them; the bench says which is not.
import type { DType } from '../../../lib/index.ts'
import { decoding, exactAttention, tensorAttention, unalignedAttention } from './attention.ts'
import { casts, elementwise, fills, norms, scaling } from './elementwise.ts'
import { losses } from './losses.ts'
import { optimizers } from './optimizers.ts'
import { exactProducts, passes, products } from './products.ts'
import { copiedRows, embeddings, reductions } from './rows.ts'
import { sampling } from './sampling.ts'
import { floatDTypes, sixteenBit, type Work } from './work.ts'

const named =
  (dtype: DType) =>
  (work: Work): Work => ({ ...work, name: `${work.name} (${dtype})` })

/** A kernel is measured by the first that reaches it. */
export const works: readonly Work[] = [
  ...floatDTypes.flatMap((dtype) =>
    [elementwise, norms, exactAttention, decoding, embeddings].flatMap((of) => of(dtype)).map(named(dtype)),
  ),
  ...sixteenBit.flatMap((dtype) =>
    [...products(dtype), ...tensorAttention(dtype), unalignedAttention(dtype)].map(named(dtype)),
  ),
  ...exactProducts,
  ...floatDTypes.flatMap((dtype) => [...passes(dtype), ...losses(dtype)].map(named(dtype))),
  scaling,
  ...casts,
  ...fills,
  ...copiedRows,
  ...reductions,
  ...sampling,
  ...optimizers,
]
