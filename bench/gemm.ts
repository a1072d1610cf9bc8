// GEMM against OpenBLAS and torch over the products of T5-small/base and ELECTRA-small/base: forward (NT, x·Wᵀ), gradient
// of the input (NN) and of the weight (TN), and batches as attention has them. Rounds of all contenders alternate; medians.
import { device, noGrad, ops, runtimeInfo, scope, setThreads, Tensor } from '../lib/index.ts'
import { Baseline } from './baselines/process.ts'

interface Product {
  readonly layout: 'NN' | 'NT' | 'TN'
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
}

/** (in, out) of the models' linear layers. */
const layers = [
  ...[
    [512, 512],
    [512, 1536],
    [512, 2048],
    [2048, 512],
  ],
  ...[
    [768, 768],
    [768, 2304],
    [768, 3072],
    [3072, 768],
  ],
  ...[
    [128, 256],
    [256, 256],
    [256, 768],
    [256, 1024],
    [1024, 256],
  ],
] as const
const tokens = [128, 512, 1024, 4096]

const products: Product[] = [
  ...tokens.flatMap((m) =>
    layers.flatMap(([k, n]): Product[] => [
      { layout: 'NT', batch: 1, m, n: n!, k: k! },
      { layout: 'NN', batch: 1, m, n: k!, k: n! },
      { layout: 'TN', batch: 1, m: n!, n: k!, k: m },
    ]),
  ),
  { layout: 'NT', batch: 96, m: 128, n: 128, k: 64 },
  { layout: 'NN', batch: 96, m: 128, n: 64, k: 128 },
]

const rounds = 7
/** Of one round, at the least. */
const roundSeconds = 0.01

function operands({ layout, batch, m, n, k }: Product): [Tensor, Tensor] {
  const random = (rows: number, columns: number) => {
    const shape = batch > 1 ? [batch, rows, columns] : [rows, columns]
    const values = Float32Array.from({ length: batch * rows * columns }, () => Math.random() * 2 - 1)
    return Tensor.from(values, { shape })
  }
  return [layout[0] === 'T' ? random(k, m) : random(m, k), layout[1] === 'T' ? random(n, k) : random(k, n)]
}

/** Seconds of one product. */
async function measureOurs(a: Tensor, b: Tensor, layout: string, repeats: number): Promise<number> {
  const options = { transposeA: layout[0] === 'T', transposeB: layout[1] === 'T' }
  const once = () => noGrad(() => scope(() => void ops.gemm(a, b, options)))
  once()
  await device('cpu').synchronize()
  const start = performance.now()
  for (let i = 0; i < repeats; i++) once()
  await device('cpu').synchronize()
  return (performance.now() - start) / 1e3 / repeats
}

const median = (values: readonly number[]) => values.toSorted((x, y) => x - y)[values.length >> 1] as number

/** Seconds of ours and of each baseline. */
async function contest(product: Product, threads: number, baselines: readonly Baseline[]): Promise<number[]> {
  const { layout, batch, m, n, k } = product
  const [a, b] = operands(product)
  const repeats = Math.max(1, Math.ceil(roundSeconds / (await measureOurs(a, b, layout, 1))))
  const request = [layout, batch, m, n, k, threads, repeats].join(' ')
  const seconds: number[][] = [[], ...baselines.map(() => [])]
  for (let round = 0; round < rounds; round++) {
    seconds[0]!.push(await measureOurs(a, b, layout, repeats))
    for (const [i, baseline] of baselines.entries()) seconds[i + 1]!.push(await baseline.measure(request))
  }
  a.dispose()
  b.dispose()
  return seconds.map(median)
}

function report(product: Product, seconds: readonly number[]): number {
  const { layout, batch, m, n, k } = product
  const rates = seconds.map((s) => (2 * batch * m * n * k) / s / 1e9)
  const ratio = rates.length > 1 ? rates[0]! / Math.max(...rates.slice(1)) : 1
  const shape = `${batch > 1 ? `${batch} × ` : ''}${m}×${k}×${n}`
  const columns = rates.map((rate) => rate.toFixed(1).padStart(9)).join(' ')
  console.log(`${layout} ${shape.padEnd(20)} ${columns} ${rates.length > 1 ? ratio.toFixed(2).padStart(7) : ''}`)
  return ratio
}

export async function benchGemm(): Promise<void> {
  const found = [Baseline.openBlas(), await Baseline.torch('torch_gemm.py')]
  const baselines = found.filter((baseline) => baseline !== null)
  const before = runtimeInfo().threads
  for (const threads of [1, 2]) {
    setThreads(threads)
    console.log(`\ngemm, GFLOP/s with ${threads} thread${threads > 1 ? 's' : ''}; ratio to the best baseline`)
    console.log(
      `   M×K×N                ${['ours', ...baselines.map((b) => b.name)].map((s) => s.padStart(9)).join(' ')}`,
    )
    const ratios: number[] = []
    for (const product of products) ratios.push(report(product, await contest(product, threads, baselines)))
    const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length)
    if (baselines.length > 0) {
      console.log(`geometric mean ${mean.toFixed(3)}, smallest ${Math.min(...ratios).toFixed(2)}`)
    }
  }
  setThreads(before)
  for (const baseline of baselines) baseline.close()
}
