// npm run test:fuzz -- [--seconds 20] [--seed 1]: random mutations of valid files for a bounded time. A mutant must load
// or be refused with a CheckpointError; anything else, a hang included, is a failure, and its file is kept.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CheckpointError, SafetensorsFile } from '../../lib/index.ts'
import { valid } from '../checkpoint/malformed.ts'
import { encode, float32Entry } from '../checkpoint/writer.ts'
import { randomOf } from '../harness.ts'

const maxMs = 1000

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' } },
})
const random = randomOf(Number(values.seed))

const corpus = [
  valid,
  encode({}),
  encode({ a: float32Entry([2, 2], [1, 2, 3, 4]) }),
  encode({
    'ü😀': { dtype: 'I64', shape: [2], bytes: new Uint8Array(16) },
    h: { dtype: 'BF16', shape: [1, 3], bytes: new Uint8Array(6) },
  }),
]
const tokens = ['{', '}', '[', ']', '"', ':', ',', '0', '-1', '18446744073709551615', '1e9', 'null', '\\u', '\\ud800']
const words = ['"dtype"', '"shape"', '"data_offsets"', '"__metadata__"', '"F64"', '"I8"', '"BOOL"', '[0,4]', '[1,1,1]']

function mutate(bytes: Uint8Array): Uint8Array {
  const at = random.integer(bytes.length + 1)
  const length = random.integer(Math.min(16, bytes.length - at) + 1)
  const splice = (insert: ArrayLike<number>) =>
    Uint8Array.from([...bytes.subarray(0, at), ...Array.from(insert), ...bytes.subarray(at + length)])
  const anywhere = random.integer(bytes.length + 1)
  const mutations = [
    () => bytes.map((byte, i) => (i === at ? random.integer(256) : byte)),
    () => bytes.map((byte, i) => (i === at ? byte ^ (1 << random.integer(8)) : byte)),
    () => splice([]),
    () => splice(bytes.subarray(anywhere, anywhere + random.integer(32))),
    () => splice(new TextEncoder().encode([...tokens, ...words][random.integer(tokens.length + words.length)])),
    () => bytes.slice(0, at),
    () => Uint8Array.from([...bytes, random.integer(256)]),
  ]
  return (mutations[random.integer(mutations.length)] as () => Uint8Array)()
}

/** Half of the mutants get a header length that fits again, so that the parser sees them and not the first check. */
function repaired(bytes: Uint8Array, base: Uint8Array): Uint8Array {
  if (bytes.length < 8 || random.uniform() < 0.5) return bytes
  const copy = bytes.slice()
  const before = Number(new DataView(base.buffer, base.byteOffset).getBigUint64(0, true))
  const length = Math.max(before + bytes.length - base.length, 0)
  new DataView(copy.buffer).setBigUint64(0, BigInt(length), true)
  return copy
}

async function loadsOrRefuses(path: string): Promise<'loaded' | 'refused'> {
  try {
    using file = SafetensorsFile.open(path)
    for (const name of file.names()) {
      using tensor = file.load(name)
      await tensor.data()
    }
    return 'loaded'
  } catch (error) {
    if (error instanceof CheckpointError) return 'refused'
    throw error
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'))
  const path = join(folder, 'mutant.safetensors')
  const end = performance.now() + Number(values.seconds) * 1000
  const counts = { loaded: 0, refused: 0 }
  while (performance.now() < end) {
    const base = corpus[random.integer(corpus.length)] as Uint8Array
    let mutant = base
    for (let i = random.integer(4); i >= 0; i--) mutant = mutate(mutant)
    writeFileSync(path, repaired(mutant, base))
    const start = performance.now()
    const outcome = await loadsOrRefuses(path).catch((error: unknown) => {
      throw new Error(`seed ${values.seed}: expected a tensor or a CheckpointError from ${path}`, { cause: error })
    })
    const took = performance.now() - start
    if (took > maxMs) throw new Error(`seed ${values.seed}: expected under ${maxMs} ms for ${path}, got ${took}`)
    counts[outcome]++
  }
  rmSync(folder, { recursive: true })
  const total = counts.loaded + counts.refused
  console.log(`safetensors: ${total} files, ${counts.loaded} loaded, ${counts.refused} refused (seed ${values.seed})`)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
