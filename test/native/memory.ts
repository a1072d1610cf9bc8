import { device, ops, scope, Tensor } from '../../lib/index.ts'

/** Rounds of what a training step does to memory: make, run, go backwards, dispose; every other one in a scope. */
export async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const x = Tensor.ones([64, 64], { requiresGrad: true })
    const bias = Tensor.ones([64], { requiresGrad: true })
    const step = () => {
      const y = ops.add(ops.add(x, bias), bias)
      y.backward(Tensor.ones([64, 64]))
    }
    if (i % 2 === 0) {
      scope(step)
    } else {
      const y = ops.add(x, bias)
      const gradient = Tensor.ones([64, 64])
      y.backward(gradient)
      gradient.dispose()
      y.dispose()
    }
    for (const leaf of [x, bias]) {
      leaf.grad?.dispose()
      leaf.dispose()
    }
    // A trainer waits now and then; without it the queue would only grow.
    if (i % 100 === 99) await device().synchronize()
  }
  await device().synchronize()
}
