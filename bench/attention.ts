// Attention forward + backward with T5's bias table, and torch's with a dense bias, run in turn: medians and ratios.
import { setTimeout as sleep } from 'node:timers/promises'
import { device, ops, scope, setThreads, Tensor } from '../lib/index.ts'
import { randomOf } from '../test/harness.ts'
import { Baseline } from './baselines/process.ts'

/** B, H, T, D: 8 heads are T5-small's, 12 T5-base's and ELECTRA-base's, 4 ELECTRA-small's. */
const shapes = [
  [8, 8, 512, 64],
  [1, 12, 512, 64],
  [4, 12, 512, 64],
  [8, 4, 512, 64],
  [8, 8, 128, 64],
  [8, 12, 128, 64],
  [32, 4, 128, 64],
  [1, 12, 1024, 64],
  [1, 8, 2048, 64],
] as const
const rounds = 7
/** Of one turn, at the least, after a call that is not counted. */
const turnSeconds = 0.1
/** Before each turn: threads of the one that ran before may go on spinning for a while. */
const pauseMs = 50
const forms = ['sdpa', 'plain'] as const

function prepare([batch, heads, length, size]: readonly [number, number, number, number]) {
  const random = randomOf(1)
  const normal = (shape: number[], requiresGrad = true) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal())
    return Tensor.from(data, { shape, requiresGrad })
  }
  const rows = [batch * length, heads, size]
  const leaves = [normal(rows), normal(rows), normal(rows), normal([32, heads])] as const
  const dO = normal(rows, false)
  const cuSeqlens = Tensor.fromWithHostCopy(Int32Array.from({ length: batch + 1 }, (_, i) => i * length))
  const [q, k, v, biasTable] = leaves
  const run = async () => {
    const start = performance.now()
    scope(() => ops.attention(q, k, v, { cuSeqlens, biasTable }).backward(dO))
    await device().synchronize()
    const time = performance.now() - start
    for (const leaf of leaves) {
      leaf.grad?.dispose()
      leaf.grad = null
    }
    return time
  }
  const turn = async (repeats: number) => {
    await run()
    let time = 0
    for (let i = 0; i < repeats; i++) time += await run()
    return time / repeats
  }
  const dispose = () => {
    for (const tensor of [...leaves, dO, cuSeqlens]) tensor.dispose()
  }
  return { turn, dispose }
}

async function compare(shape: (typeof shapes)[number], threads: number, torch: Baseline | null): Promise<void> {
  const { turn, dispose } = prepare(shape)
  const repeats = Math.ceil((turnSeconds * 1000) / (await turn(1)))
  const ours: number[] = []
  const theirs = { sdpa: [] as number[], plain: [] as number[] }
  for (let round = -1; round < rounds; round++) {
    await sleep(pauseMs)
    const time = await turn(repeats)
    if (round >= 0) ours.push(time)
    for (const form of torch ? forms : []) {
      await sleep(pauseMs)
      const time = await torch!.measure([...shape, threads, form, repeats].join(' '))
      if (round >= 0) theirs[form].push(time)
    }
  }
  dispose()
  const [batch, heads, length, size] = shape
  const ms = median(ours)
  const rate = (14 * batch * heads * length * length * size) / ms / 1e6
  const ratios = forms.map((form) => {
    if (!torch) return ''.padStart(20)
    const baseline = median(theirs[form])
    return `${baseline.toFixed(2).padStart(11)} ${(baseline / ms).toFixed(2).padStart(7)}x`
  })
  console.log(
    `${shape.join(' ').padEnd(16)} ${String(threads).padStart(7)} ${ms.toFixed(2).padStart(9)} ${rate.toFixed(1).padStart(8)} ${ratios.join(' ')}`,
  )
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]!
}

export async function benchAttention(): Promise<void> {
  const torch = await Baseline.torch('torch_attention.py')
  console.log('attention forward + backward; ratio = torch / ours')
  console.log('B H T D          threads        ms  GFLOP/s        sdpa   ratio       plain   ratio')
  for (const threads of [1, 2]) {
    setThreads(threads)
    for (const shape of shapes) await compare(shape, threads, torch)
  }
  torch?.close()
}
