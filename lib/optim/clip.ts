import { ConfigError } from '../errors.ts'
import { keep } from '../scope.ts'
import { denseStrides, native, shapeText, type Tensor } from '../tensor.ts'

/**
 * Scales the gradients of `params` in place so that their global norm is at most `maxNorm`. A parameter that several
 * modules share counts once; parameters without a gradient do not count. Nothing waits for the device.
 *
 * @param maxNorm `Infinity` only measures.
 * @param style 'torch': g · min(1, maxNorm / (norm + 1e-6)); 'tf': g · maxNorm / max(norm, maxNorm). @default 'torch'
 * @returns () float32, the norm before clipping. Give it to `step` to leave out steps whose norm is not finite.
 * @see Pascanu et al. 2013, On the difficulty of training recurrent neural networks. https://arxiv.org/abs/1211.5063
 */
export function clipGradNorm(
  params: readonly Tensor[],
  maxNorm: number,
  { style = 'torch' }: { style?: 'torch' | 'tf' } = {},
): Tensor {
  if (!(maxNorm >= 0)) throw new ConfigError(`clipGradNorm: expected maxNorm >= 0, got ${maxNorm}`)
  const grads = [...new Set(params)].flatMap((param) => denseGrad(param) ?? [])
  const norm = native.globalNorm(grads)
  if (maxNorm !== Infinity) native.clipByGlobalNorm(grads, norm, { maxNorm, style })
  return norm
}

// A backward may hand on a view, transposed for one; the op updates dense tensors in place.
function denseGrad(param: Tensor): Tensor | null {
  const grad = param.grad
  if (!grad || shapeText(grad.strides) === shapeText(denseStrides(grad.shape))) return grad
  param.grad = keep(native.cast(grad, { dtype: 'float32' }))
  grad.dispose()
  return param.grad
}
