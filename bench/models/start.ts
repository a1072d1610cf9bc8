// What a server meets before and beside throughput: the time to the first logits, the tail of the latency, the size on disk.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ElectraForSequenceClassification, parseElectraConfig } from '../../lib/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Processes, of each engine in turn, for the time to the first logits; and for the latency of this many texts. */
const [starts, latencies, texts] = [7, 3, 6000]

/** Of one process: from `import` to the first logits, then of single texts of 32 tokens. */
interface Started {
  readonly firstMs: number
  readonly medianMs: number
  readonly p99Ms: number
}

export interface StartRow {
  readonly engine: string
  /** Median over processes. */
  readonly firstLogitsMs: number
  readonly latencyMs: number
  /** 99th percentile over the median, of the median process. */
  readonly tail: number
  readonly installedMB: number
}

/** ELECTRA-small, files in the cache of the system. @param onnx folder of exported models. */
export async function benchStart(threads: number, onnx: string | null): Promise<StartRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-start-'))
  try {
    {
      using model = new ElectraForSequenceClassification(parseElectraConfig({}))
      await model.savePretrained(folder)
    }
    const engines = [
      { engine: 'duoformer', path: folder, installed: ownBytes() },
      ...(onnx
        ? [
            {
              engine: 'onnxruntime',
              path: join(onnx, 'electra-small.onnx'),
              installed: folderBytes(join(root, 'bench/baselines/node_modules')),
            },
          ]
        : []),
    ]
    const script = join(root, 'bench/models/first-logits.mjs')
    const measure = (processes: number, texts: number) => {
      const found = new Map<string, Started[]>(engines.map(({ engine }) => [engine, []]))
      for (let run = 0; run < processes; run++) {
        for (const { engine, path } of engines) {
          const options = [script, engine, path, String(threads), String(texts)]
          found.get(engine)?.push(JSON.parse(execFileSync(process.execPath, options, { encoding: 'utf8' })) as Started)
        }
      }
      return (engine: string, of: (started: Started) => number) =>
        (found.get(engine) ?? []).map(of).sort((a, b) => a - b)[processes >> 1] as number
    }
    const first = measure(starts, 0)
    const latency = measure(latencies, texts)
    console.log(
      '\nELECTRA-small, 1 × 32 tokens: reach 150 ms from import to the first logits, p99 of 1.5 medians, 15 MB',
    )
    return engines.map(({ engine, installed }) => {
      const row = {
        engine,
        firstLogitsMs: first(engine, ({ firstMs }) => firstMs),
        latencyMs: latency(engine, ({ medianMs }) => medianMs),
        tail: latency(engine, ({ p99Ms, medianMs }) => p99Ms / medianMs),
        installedMB: installed / 1e6,
      }
      console.log(
        `${engine.padEnd(12)} first logits ${row.firstLogitsMs.toFixed(0)} ms, then median ${row.latencyMs.toFixed(2)} ms, ` +
          `p99 ${row.tail.toFixed(2)} medians; installed ${row.installedMB.toFixed(1)} MB`,
      )
      return row
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Of the package's files, the stripped addon, and what it depends on, but for the tokenizer library. */
function ownBytes(): number {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' }),
  ) as [{ unpackedSize: number; files: { path: string; size: number }[] }]
  const prebuilt = packed.files
    .filter(({ path }) => path.startsWith('prebuilds/'))
    .reduce((sum, { size }) => sum + size, 0)
  const stripped = join(mkdtempSync(join(tmpdir(), 'bench-addon-')), 'duoformer.node')
  execFileSync('strip', ['-o', stripped, join(root, 'build/Release/duoformer.node')])
  const addon = statSync(stripped).size
  rmSync(join(stripped, '..'), { recursive: true })
  const dependencies = ['node-gyp-build', 'yaml'].map((name) => folderBytes(join(root, 'node_modules', name)))
  return packed.unpackedSize - prebuilt + addon + dependencies.reduce((sum, bytes) => sum + bytes, 0)
}

function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}
