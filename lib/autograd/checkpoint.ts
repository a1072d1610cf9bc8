import { StateError } from '../errors.ts'
import { keep } from '../scope.ts'
import { Tensor } from '../tensor.ts'
import { attach } from './differentiable.ts'
import { gradEnabled, withGrad } from './grad-mode.ts'
import { edgeOf, TapeRecord } from './tape.ts'

/**
 * Activation checkpointing: runs `fn` without keeping what its backward needs, and runs it again when backward gets there.
 * Results and gradients are bit-equal to those without it, given that `fn` computes the same both times: its randomness
 * must come from seeds, sites and steps, as all of the library's does.
 *
 * @param fn synchronous, from the inputs to one tensor; parameters it closes over get their gradients, too.
 * @see Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost. https://arxiv.org/abs/1604.06174
 */
export function checkpoint<A extends readonly Tensor[]>(fn: (...inputs: A) => Tensor, ...inputs: A): Tensor {
  if (!gradEnabled()) return fn(...inputs)
  const result = withGrad(false, 'checkpoint', () => fn(...inputs))
  if (!(result instanceof Tensor))
    throw new StateError('checkpoint: expected a function that returns one tensor, got another value')
  // Held under handles of our own: the caller may dispose of the inputs before backward. Leaves stay themselves.
  const held = inputs.map((input) => {
    if (input.requiresGrad && !input.node) return input
    const copy = input.detach()
    copy.node = input.node
    copy.outputIndex = input.outputIndex
    return copy
  })
  const own = held.filter((tensor, i) => tensor !== inputs[i])
  const recompute = () => withGrad(true, 'checkpoint', () => fn(...(held as unknown as A)))
  const saved = {
    keep() {
      for (const tensor of own) keep(tensor)
    },
    release() {
      for (const tensor of own) tensor.dispose()
    },
  }
  return attach(result, new TapeRecord('checkpoint', inputs.map(edgeOf), null, saved, recompute), 0)
}
