// What is measured, and what is to be reached beside the baselines, at 2 threads in float32.

/** Who does the work: PyTorch as it is and compiled, ONNX Runtime in Node. */
export type Engine = 'duoformer' | 'torch' | 'torch.compile' | 'onnxruntime'

export interface Work {
  readonly name: string
  readonly engines: readonly Engine[]
  /** Times faster than the fastest of the engines named. */
  readonly reach: { readonly factor: number; readonly than: readonly Engine[] }
  /** Peak memory over that of PyTorch; absent where it is not promised. */
  readonly memory?: number
}

/** Works of a group share a process of each engine, whose peak memory is that of the group. */
export interface Group {
  readonly name: string
  readonly works: readonly Work[]
}

const inference = ['duoformer', 'onnxruntime', 'torch', 'torch.compile'] as const
const training = ['duoformer', 'torch', 'torch.compile'] as const
const generation = ['duoformer', 'onnxruntime', 'torch'] as const
const both = ['torch', 'onnxruntime'] as const
const pytorch = ['torch', 'torch.compile'] as const

function classify(size: 'small' | 'base', factors: readonly [number, number, number]): Group {
  const shapes = ['1x32', '1x128', '32x128'] as const
  return {
    name: `ELECTRA-${size} classification`,
    works: [
      ...shapes.map((shape, i) => ({
        name: `electra-${size} classify ${shape}`,
        engines: inference,
        reach: { factor: factors[i] as number, than: both },
      })),
      // 32 texts of 8 to 128 tokens; baselines pad them.
      { name: `electra-${size} classify mixed`, engines: inference, reach: { factor: 2.2, than: both } },
    ],
  }
}

export const groups: readonly Group[] = [
  classify('small', [1.4, 1.3, 1.3]),
  classify('base', [1.25, 1.25, 1.25]),
  {
    name: 'T5-small inference',
    works: [
      { name: 't5-small encode 1x128', engines: inference, reach: { factor: 1.4, than: both } },
      { name: 't5-small greedy 1', engines: generation, reach: { factor: 1.9, than: both } },
      { name: 't5-small greedy 8', engines: generation, reach: { factor: 1.8, than: both } },
      { name: 't5-small beam 4', engines: ['duoformer', 'torch'], reach: { factor: 4.5, than: ['torch'] } },
    ],
  },
  {
    // Ours hold weights as bfloat16 and compute in float32; the baselines are in float32.
    name: 'T5-small inference, 16-bit weights',
    works: [{ name: 't5-small greedy 1 bfloat16', engines: generation, reach: { factor: 3, than: both } }],
  },
  {
    name: 'ELECTRA-small pre-training',
    works: [
      { name: 'electra-small joint 16x128', engines: training, reach: { factor: 2, than: pytorch }, memory: 0.5 },
    ],
  },
  {
    name: 'T5-small training, short',
    works: [{ name: 't5-small step 8x128-32', engines: training, reach: { factor: 2, than: pytorch }, memory: 0.4 }],
  },
  {
    name: 'ELECTRA-base pre-training',
    works: [
      { name: 'electra-base joint 8x128', engines: training, reach: { factor: 1.7, than: ['torch'] }, memory: 0.5 },
    ],
  },
  {
    name: 'T5-small training, long',
    works: [{ name: 't5-small step 8x512-114', engines: training, reach: { factor: 2, than: pytorch }, memory: 0.4 }],
  },
]
