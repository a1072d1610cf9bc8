import { denseStrides, native, shapeText, type Tensor } from '../tensor.ts'

/** @internal The gradient of a tensor that was broadcast: `gradient` summed over the dimensions that were stretched. */
export function sumToShape(gradient: Tensor, shape: readonly number[]): Tensor {
  if (shapeText(gradient.shape) === shapeText(shape)) return gradient
  const extra = gradient.shape.length - shape.length
  let axes = 0
  gradient.shape.forEach((size, i) => {
    if (i < extra || (shape[i - extra] === 1 && size !== 1)) axes |= 1 << i
  })
  const summed = native.reduce(gradient, { kind: 'sum', axes })
  return summed.view(shape, denseStrides(shape), summed.offset)
}
