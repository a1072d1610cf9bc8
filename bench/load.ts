// Time and memory of loading a checkpoint, in a process of its own for each.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  ElectraModel,
  parseElectraConfig,
  parseT5Config,
  saveSafetensors,
  T5ForConditionalGeneration,
  Tensor,
} from '../lib/index.ts'

const child = fileURLToPath(new URL('load-child.mjs', import.meta.url))
const runs = 5
/** The most that loading may take beside the bare process, in sizes of the file. */
const maxFileSizes = 1.25

interface Measured {
  readonly loadMs: number
  readonly peakRssBytes: number
}

function measure(...args: string[]): Measured {
  const results = Array.from(
    { length: runs },
    () => JSON.parse(execFileSync(process.execPath, [child, ...args], { encoding: 'utf8' })) as Measured,
  )
  const median = (of: (result: Measured) => number) => results.map(of).sort((a, b) => a - b)[runs >> 1] as number
  return { loadMs: median((result) => result.loadMs), peakRssBytes: median((result) => result.peakRssBytes) }
}

/** About 250 MB in the shapes of a model: a vocabulary, and many matrices of a layer. */
async function writeCheckpoint(path: string): Promise<void> {
  const tensors: Record<string, Tensor> = { 'shared.weight': Tensor.full([32128, 512], 0.5) }
  for (let i = 0; i < 44; i++) tensors[`layer.${i}.weight`] = Tensor.full([2048, 512], i)
  await saveSafetensors(path, tensors)
  for (const tensor of Object.values(tensors)) tensor.dispose()
}

/** Random weights of the published shapes, by name of the class. */
const models = {
  T5ForConditionalGeneration: () => new T5ForConditionalGeneration(parseT5Config({ decoder_start_token_id: 0 })),
  ElectraModel: () => {
    const sizes = { embedding_size: 768, hidden_size: 768, num_attention_heads: 12, intermediate_size: 3072 }
    return new ElectraModel(parseElectraConfig(sizes))
  },
}

export async function benchLoad(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-load-'))
  const path = join(folder, 'model.safetensors')
  try {
    await writeCheckpoint(path)
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0).padStart(6)} MB`
    const bare = measure('bare')
    console.log('median of 5, files in the cache of the system          load      peak RSS   (peak - bare) / file')
    console.log(`${'bare Node process'.padEnd(50)} ${''.padStart(10)} ${megabytes(bare.peakRssBytes)}`)
    const print = (name: string, fileBytes: number, { loadMs, peakRssBytes }: Measured) => {
      const ratio = (peakRssBytes - bare.peakRssBytes) / fileBytes
      const verdict = ratio <= maxFileSizes ? '' : `   more than ${maxFileSizes}`
      console.log(
        `${name.padEnd(50)} ${loadMs.toFixed(0).padStart(7)} ms ${megabytes(peakRssBytes)} ${ratio.toFixed(2).padStart(18)}${verdict}`,
      )
    }
    for (const dtype of ['float32', 'float16', 'bfloat16']) {
      const { size } = statSync(path)
      print(`checkpoint of ${(size / 1e6).toFixed(0)} MB as ${dtype}`, size, measure('checkpoint', path, dtype))
    }
    for (const [name, make] of Object.entries(models)) {
      const dir = join(folder, name)
      using model = make()
      await model.savePretrained(dir)
      const { size } = statSync(join(dir, 'model.safetensors'))
      print(`${name} of ${(size / 1e6).toFixed(0)} MB to its first output`, size, measure('model', dir, name))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
