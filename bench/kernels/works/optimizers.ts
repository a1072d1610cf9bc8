// Steps of optimizers over the parameters of a few layers, with their shadows in 16 bits.
import { Tensor } from '../../../lib/index.ts'
import { native } from '../../../lib/tensor.ts'
import { float, type Work } from './work.ts'

const shapes = [[512, 512], [512, 512], [2048, 512], [512]] as const

const make = (of: (shape: readonly number[]) => Tensor) => shapes.map(of)
const random = () => make((shape) => float(shape))
const zeros = () => make((shape) => Tensor.zeros(shape))
const shadows = () => make((shape) => Tensor.zeros(shape, { dtype: 'bfloat16' }))
const rates = { lr: 1e-3, step: 1 }

export const optimizers: Work[] = [
  {
    name: 'SGD with momentum',
    prepare: () => {
      const [params, grads, velocities, copies] = [random(), random(), zeros(), shadows()]
      return () => native.sgd(params, grads, velocities, copies, null, null, { ...rates, momentum: 0.9 })
    },
  },
  {
    name: 'Adagrad',
    prepare: () => {
      const [params, grads, sums, copies] = [random(), random(), zeros(), shadows()]
      return () => native.adagrad(params, grads, sums, copies, null, null, rates)
    },
  },
  {
    name: 'AdamW',
    prepare: () => {
      const [params, grads, means, squares, copies] = [random(), random(), zeros(), zeros(), shadows()]
      return () => native.adamw(params, grads, means, squares, copies, null, null, rates)
    },
  },
  {
    name: 'Adafactor',
    prepare: () => {
      const [params, grads, copies] = [random(), random(), shadows()]
      // Matrices have factors, vectors all squares.
      const matrices = shapes.filter((shape) => shape.length === 2)
      const [rows, columns] = [0, 1].map((d) => matrices.map((shape) => Tensor.zeros([shape[d] as number])))
      const squares = shapes.filter((shape) => shape.length === 1).map((shape) => Tensor.zeros(shape))
      return () => native.adafactor(params, grads, rows!, columns!, squares, [], copies, null, null, rates)
    },
  },
  {
    name: 'norm of all gradients, clipping',
    prepare: () => {
      const grads = random()
      return () => native.clipByGlobalNorm(grads, native.globalNorm(grads), { maxNorm: 1 })
    },
  },
]
