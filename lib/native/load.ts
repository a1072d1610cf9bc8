import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { DeviceError, type DuoformerError, errorOfCode } from '../errors.ts'

/** A tensor of a checkpoint, as its file describes it; `native` is the index of the dtype it becomes, -1 if none. */
export interface StoredTensor {
  name: string
  dtype: string
  native: number
  shape: number[]
}

/** What there is of CUDA. */
export interface CudaInfo {
  /** With which compiler the kernels were made, or why this build has none. */
  build: string
  /** Why no device can be used; empty when one can. */
  problem: string
  /** `major` and `minor` are the compute capability; `memory` in bytes. */
  devices: { name: string; major: number; minor: number; multiprocessors: number; memory: number }[]
}

/** The addon's functions. All numbers; the meaning of `buffer` is in native/napi beside each of them. */
interface Addon {
  start(makeError: (code: number, message: string, call: number) => DuoformerError): Float64Array
  enqueue(op: number): void
  record(device: number, inputs: readonly number[]): void
  recorded(device: number, result: number): number
  replay(capture: number, values: Int32Array): number
  closeCapture(capture: number): void
  upload(dtype: number, shape: readonly number[], bytes: Uint8Array | null, host: boolean, device: number): number
  view(handle: number, rank: number): number
  dispose(handle: number): void
  read(handle: number): Promise<Float32Array | Int32Array | Uint8Array | Int8Array>
  openDevice(device: number): void
  transfer(handle: number, device: number): number
  synchronize(device: number): Promise<void>
  memory(device: number): { live: number; cached: number; peak: number; tensors: number }
  counters(device: number): Record<string, { calls: number; flops: number; bytes: number; seconds: number }>
  resetCounters(device: number): void
  setMemoryLimit(device: number, bytes: number): void
  resetPeak(device: number): void
  trim(device: number): void
  setTf32(device: number, allowed: boolean): void
  setThreads(threads: number): void
  openCheckpoint(path: string): { number: number; tensors: StoredTensor[]; metadata: string[] }
  loadTensor(checkpoint: number, name: string, dtype: number, device: number): number
  closeCheckpoint(checkpoint: number): void
  writeTensor(handle: number, dtype: number, path: string, offset: number): Promise<void>
  tryLock(descriptor: number): number
  info(): {
    isa: string
    threads: number
    maxThreads: number
    schema: string
  }
  cudaInfo(): CudaInfo
}

const require = createRequire(import.meta.url)
/** The package's folder, wherever its JavaScript was built to. */
const root = dirname(require.resolve('duoformer/package.json'))

function load(): Addon {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    throw new DeviceError(`duoformer: expected Linux on x64 or arm64, got ${process.platform} on ${process.arch}`)
  }
  try {
    // Bundlers must leave the package external: the binary is found beside it.
    return (require('node-gyp-build') as (dir: string) => Addon)(root)
  } catch (cause) {
    throw new DeviceError(explain(cause), { cause })
  }
}

function explain(cause: unknown): string {
  const tried = ['build/Release', 'build/Debug', `prebuilds/${process.platform}-${process.arch}`]
  const lines = tried.map((dir) => {
    const path = join(root, dir)
    const found = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.node')) : []
    return `  ${path}: ${found.length > 0 ? found.join(', ') : 'no binary'}`
  })
  const { glibcVersionRuntime: glibc } = (
    process.report.getReport() as unknown as {
      header: { glibcVersionRuntime?: string }
    }
  ).header
  const reason = glibc
    ? `a binary built for this system (${process.platform}-${process.arch}, glibc ${glibc}, Node ${process.version}) is missing or does not load`
    : 'this system has no glibc (Alpine?); the shipped binaries need it'
  return [
    `duoformer: expected a native binary, got none that loads. Tried:`,
    ...lines,
    `Likely cause: ${reason}.`,
    `First error: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`,
    'To build it from source (needs a C++20 compiler and CMake), run in your project:',
    '  npm install cmake-js@8 node-addon-api@8 && npx cmake-js build -d node_modules/duoformer',
  ].join('\n')
}

/** @internal */
export const addon = load()

// In debug mode each queued call remembers where it was made: an error of the device then names that line.
const debug = process.env.DUOFORMER_DEBUG === '1'
const sites = new Map<number, string>()
const maxSites = 100_000

/** @internal */
export function rememberSite(call: number): void {
  if (!debug) return
  sites.set(call, new Error().stack?.split('\n').slice(3).join('\n') ?? '')
  sites.delete(call - maxSites)
}

/** @internal Shared with the addon: arguments of a call go in, results come out. */
export const buffer = addon.start((code, message, call) => {
  const error = errorOfCode(code, message)
  const site = sites.get(call)
  if (site) error.stack = `${error.name}: ${message}\n    queued by:\n${site}`
  return error
})
