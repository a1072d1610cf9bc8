import type { DeviceName } from '../device.ts'
import { queued, read } from '../generate/run.ts'
import type { Tensor } from '../tensor.ts'
import type { TaskContext } from './task.ts'

interface Evaluated {
  readonly device: DeviceName
  readonly training: boolean
  train(mode?: boolean): unknown
}

/**
 * Runs a forward pass for its numbers: without a tape and dropout, and nothing of it stays, whatever happens.
 *
 * @param forward gives the tensors that are read.
 * @throws the signal's reason when it is aborted, before anything is queued or once all is done.
 */
export async function evaluate<K extends string>(
  { model, signal }: TaskContext<Evaluated>,
  forward: () => Record<K, Tensor>,
): Promise<Record<K, Float32Array>> {
  signal?.throwIfAborted()
  const { training } = model
  model.train(false)
  let outputs: Record<K, Tensor>
  try {
    outputs = queued(model, forward)
  } finally {
    model.train(training)
  }
  const values = await read(outputs)
  signal?.throwIfAborted()
  return values as Record<K, Float32Array>
}
