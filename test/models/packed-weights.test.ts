// Inference multiplies by copies of the weights; they must be those of the weights as they are now.
import { expect, it } from 'vitest'
import {
  device,
  noGrad,
  optim,
  parseT5Config,
  scope,
  T5ForConditionalGeneration,
  type Tensor,
} from '../../lib/index.ts'

const config = parseT5Config({ vocab_size: 40, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 2, num_heads: 2 })
const inputIds = [[3, 4, 5, 6, 7, 8, 9, 1]]
const labels = [[9, 8, 7, 6, 5, 4, 3, 1]]
const batch = { inputIds, decoderInputIds: labels }

const packings = () => device('cpu').counters().gemmPack?.calls ?? 0
const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] as number))))

it('packs weights once, and again when an optimizer has changed them', async () => {
  using model = new T5ForConditionalGeneration(config, { seed: 1 }).eval()
  using optimizer = new optim.AdamW(model.parameters())
  const logits = () => scope(() => model.forward(batch).logits as Tensor)
  const packed = () => noGrad(logits).data()
  const inPlace = () => logits().data()

  device('cpu').resetCounters()
  const before = await packed()
  const weights = packings()
  expect(weights).toBeGreaterThan(0)
  expect(worst(before, await inPlace())).toBeLessThan(1e-5)
  expect(Array.from(await packed())).toEqual(Array.from(before))
  expect(packings()).toBe(weights)

  scope(() => model.forward({ inputIds, labels }).loss?.backward())
  optimizer.step({ lr: 0.1 })
  const after = await packed()
  expect(worst(after, before)).toBeGreaterThan(0.1)
  expect(worst(after, await inPlace())).toBeLessThan(1e-5 * Math.max(1, ...Array.from(after, Math.abs)))
  expect(packings()).toBe(2 * weights)
})
