// npm run bench -- models: our models and those of PyTorch and ONNX Runtime on the same work, in turn.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runtimeInfo } from '../../lib/index.ts'
import { Contestant } from './contestant.ts'
import { benchStart, type StartRow } from './start.ts'
import { type Engine, type Group, groups, type Work } from './works.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const python = process.env.DUOFORMER_PYTHON ?? 'python3'

/** What an engine took for a work. */
interface Measured {
  readonly times: readonly number[]
  readonly peakRssBytes: number
}

interface Row {
  readonly work: string
  readonly threads: number
  readonly engines: Partial<
    Record<Engine, { medianMs: number; minMs: number; maxMs: number; runs: number; peakRssMB: number }>
  >
  readonly ratio: number | null
  readonly reach: number
  readonly memoryRatio: number | null
  readonly memoryReach: number | null
}

export interface ModelsOptions {
  /** @default [2, 1] */
  readonly threads: readonly number[]
  /** Works whose names contain it. @default all */
  readonly only: string
  /** That an engine is measured for, at least, at each work. @default 1.5 */
  readonly seconds: number
}

export async function benchModels({ threads, only, seconds }: ModelsOptions): Promise<void> {
  const engines = availableEngines()
  console.log(`models: ${[...engines.keys()].join(', ')}; medians of at least 3 runs and ${seconds} s each, in turn`)
  const rows: Row[] = []
  for (const count of threads) {
    console.log(`\n${count} thread${count > 1 ? 's' : ''}`)
    console.log(header())
    for (const group of groups) {
      const works = group.works.filter(({ name }) => name.includes(only))
      if (works.length > 0) rows.push(...(await measureGroup({ ...group, works }, count, seconds, engines)))
    }
  }
  save(rows, 'start'.includes(only) ? await benchStart(threads[0] ?? 2, onnxFolder()) : [])
}

type Starts = ReadonlyMap<Engine, (threads: number) => Contestant>

/** Ways to start the engines that are there; says which are not, and why. */
function availableEngines(): Starts {
  const starts = new Map<Engine, (threads: number) => Contestant>()
  const script = (name: string) => join(root, 'bench', name)
  starts.set('duoformer', (n) => new Contestant(process.execPath, [script('models/duoformer.mjs'), String(n)]))
  if (spawnSync(python, ['-c', 'import torch, transformers'], { stdio: 'ignore' }).status === 0) {
    const torch = (mode: string) => (n: number) =>
      new Contestant(python, [script('baselines/torch_models.py'), String(n), mode])
    starts.set('torch', torch('eager'))
    starts.set('torch.compile', torch('compile'))
  } else
    console.log(`skipped: PyTorch (${python} cannot import torch and transformers; DUOFORMER_PYTHON names another)`)
  const folder = onnxModels(starts.has('torch'))
  if (folder) {
    starts.set(
      'onnxruntime',
      (n) => new Contestant(process.execPath, [script('baselines/onnx_models.mjs'), String(n), folder]),
    )
  }
  return starts
}

const modelsFolder = () => process.env.DUOFORMER_ONNX ?? join(root, 'build', 'onnx')

/** Where models for ONNX Runtime lie, if they do and it is installed. */
function onnxFolder(): string | null {
  const folder = modelsFolder()
  const isThere = existsSync(join(folder, 't5-decoder-step.onnx')) && isInstalled()
  return isThere ? folder : null
}

const isInstalled = () => existsSync(join(root, 'bench/baselines/node_modules/onnxruntime-node'))

/** The folder of exported models, made once where PyTorch is there; null, with the reason printed, without it. */
function onnxModels(canExport: boolean): string | null {
  if (!isInstalled()) {
    console.log('skipped: ONNX Runtime (npm ci --prefix bench/baselines --ignore-scripts installs it)')
    return null
  }
  const there = onnxFolder()
  if (there) return there
  if (!canExport) {
    console.log('skipped: ONNX Runtime (DUOFORMER_ONNX names no folder of models, and exporting them needs PyTorch)')
    return null
  }
  console.log('exporting models for ONNX Runtime')
  const folder = modelsFolder()
  const { status, stderr } = spawnSync(python, [join(root, 'bench/baselines/export_onnx.py'), folder], {
    encoding: 'utf8',
  })
  if (status === 0) return folder
  console.log(`skipped: ONNX Runtime (exporting failed: ${stderr.trim().split('\n').at(-1)})`)
  return null
}

async function measureGroup({ works }: Group, threads: number, seconds: number, starts: Starts): Promise<Row[]> {
  const running = new Map<Engine, Contestant>()
  const rows: Row[] = []
  for (const work of works) {
    const found = new Map<Engine, Measured>()
    for (const engine of work.engines) {
      const start = starts.get(engine)
      if (!start) continue
      const contestant = running.get(engine) ?? start(threads)
      running.set(engine, contestant)
      const result = await contestant.measure(seconds, work.name)
      if ('error' in result) console.log(`${work.name}: ${engine} failed: ${result.error}`)
      else found.set(engine, result)
    }
    const row = rowOf(work, threads, found)
    console.log(line(row))
    rows.push(row)
  }
  for (const contestant of running.values()) await contestant.close()
  return rows
}

function rowOf({ name, reach, memory }: Work, threads: number, found: ReadonlyMap<Engine, Measured>): Row {
  const engines = Object.fromEntries(
    [...found].map(([engine, { times, peakRssBytes }]) => {
      const sorted = [...times].sort((a, b) => a - b)
      const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number
      return [
        engine,
        { medianMs: at(0.5), minMs: at(0), maxMs: at(1), runs: sorted.length, peakRssMB: peakRssBytes / 1e6 },
      ]
    }),
  ) as Row['engines']
  const ours = engines.duoformer
  const others = reach.than.flatMap((engine) => engines[engine]?.medianMs ?? [])
  const memories = reach.than.flatMap((engine) => engines[engine]?.peakRssMB ?? [])
  return {
    ...{ work: name, threads, engines, reach: reach.factor, memoryReach: memory ?? null },
    ratio: ours && others.length > 0 ? Math.min(...others) / ours.medianMs : null,
    memoryRatio: ours && memory && memories.length > 0 ? ours.peakRssMB / Math.min(...memories) : null,
  }
}

const columns: readonly Engine[] = ['duoformer', 'torch', 'torch.compile', 'onnxruntime']

function header(): string {
  return ['work'.padEnd(30), ...columns.map((name) => name.padStart(22)), '  ratio  reach', ' memory  reach'].join('')
}

/** Medians in ms, and the spread from least to most over it. */
function line({ work, engines, ratio, reach, memoryRatio, memoryReach }: Row): string {
  const cells = columns.map((name) => {
    const cell = engines[name]
    if (!cell) return ''.padStart(22)
    const spread = (100 * (cell.maxMs - cell.minMs)) / cell.medianMs
    return `${cell.medianMs.toFixed(1)} ±${spread.toFixed(0)}% ${cell.peakRssMB.toFixed(0)}MB`.padStart(22)
  })
  const ratios = `${ratio === null ? '' : ratio.toFixed(2)}`.padStart(7) + reach.toFixed(2).padStart(7)
  const memory =
    memoryReach === null ? '' : `${memoryRatio?.toFixed(2) ?? ''}`.padStart(7) + memoryReach.toFixed(2).padStart(7)
  return work.padEnd(30) + cells.join('') + ratios + memory
}

function save(rows: readonly Row[], start: readonly StartRow[]): void {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  const { isa } = runtimeInfo()
  const versions = spawnSync(
    python,
    ['-c', 'import torch, transformers; print(torch.__version__, transformers.__version__)'],
    { encoding: 'utf8' },
  ).stdout.trim()
  const onnx = join(root, 'bench/baselines/node_modules/onnxruntime-node/package.json')
  const report = {
    date: new Date().toISOString(),
    commit: git('rev-parse', '--short', 'HEAD'),
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, memoryGB: Math.round(totalmem() / 2 ** 30), isa },
    versions: {
      node: process.version,
      duoformer: (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
      torchAndTransformers: versions || null,
      onnxruntime: existsSync(onnx) ? (JSON.parse(readFileSync(onnx, 'utf8')) as { version: string }).version : null,
    },
    rows,
    start,
  }
  const path = join(root, 'bench', 'results', 'models.json')
  mkdirSync(join(root, 'bench', 'results'), { recursive: true })
  writeFileSync(
    path,
    `${JSON.stringify(report, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(5)) : value), 2)}\n`,
  )
  console.log(`\nsaved: bench/results/models.json`)
}
