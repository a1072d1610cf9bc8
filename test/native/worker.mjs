// A worker thread of the tests: queues work that takes seconds, tells the parent, and stays.
import { parentPort, workerData } from 'node:worker_threads'
import { ops, Tensor } from '../../dist/index.js'

if (workerData.handle !== undefined) {
  // A tensor of another thread, as far as its number goes.
  const stranger = Object.assign(Object.create(Tensor.prototype), { handle: workerData.handle, shape: [2] })
  try {
    ops.add(stranger, Tensor.from([1, 2]))
  } catch (error) {
    parentPort.postMessage({ name: error.name, message: error.message })
  }
} else {
  const one = Tensor.ones([workerData.size])
  let x = one
  for (let i = 0; i < workerData.ops; i++) {
    const next = ops.add(x, one)
    if (x !== one) x.dispose()
    x = next
  }
  // Terminated with its promise pending, unless it is waited for.
  x.data().then((data) => parentPort.postMessage({ first: data[0] }))
  parentPort.postMessage('queued')
}
