import { ConfigError, DeviceError, describe } from './errors.ts'
import { addon } from './native/load.ts'

/** Bytes of tensor memory, as the allocator rounds them. */
export interface MemoryUse {
  /** In use by tensors and by the op that is being queued. */
  live: number
  /** Kept for reuse. */
  cached: number
  /** Largest `live` since the start, or the last `resetPeak()`. */
  peak: number
  /** Tensor handles that are not disposed. */
  tensors: number
}

/** What was queued of one op. */
export interface OpCounter {
  calls: number
  /**
   * Floating-point operations of its matrix products, a multiplication and an addition being two; 0 for ops without.
   * Pairs that causal attention hides are not counted, but where positions are given, which only the device reads.
   */
  flops: number
  /** Bytes of all operands once, and of those that are updated twice; of tables all rows, however few are read. */
  bytes: number
  /** That calls took so far; those that have not run yet took none. */
  seconds: number
}

/** A place where tensors live and ops run. Get one from `device()`. */
class Device {
  constructor(readonly name: 'cpu') {}

  memory(): MemoryUse {
    return addon.memory()
  }

  /** What was queued on this thread since its start, or the last `resetCounters()`: by native op, those called alone. */
  counters(): Record<string, OpCounter> {
    return addon.counters()
  }

  resetCounters(): void {
    addon.resetCounters()
  }

  resetPeak(): void {
    addon.resetPeak()
  }

  /** Gives cached memory back to the system; waits for queued ops when there is any. */
  trim(): void {
    addon.trim()
  }

  /** Caps live and cached memory; what goes beyond throws a DeviceError at the call. @default all physical memory */
  setMemoryLimit(bytes: number): void {
    if (!(Number.isSafeInteger(bytes) && bytes > 0)) {
      throw new ConfigError(`setMemoryLimit: expected a positive number of bytes, got ${describe(bytes)}`)
    }
    addon.setMemoryLimit(bytes)
  }

  /** Resolves when everything queued so far has run. @throws the earliest error of a queued op, once. */
  synchronize(): Promise<void> {
    return addon.synchronize()
  }
}

export type { Device }

const cpu = new Device('cpu')

/**
 * @param name 'auto' (the default) takes a GPU where there is one, else the CPU.
 * @throws {DeviceError} when that device is not there.
 */
export function device(name: 'auto' | 'cpu' | 'cuda' | `cuda:${number}` = 'auto'): Device {
  if (name === 'auto' || name === 'cpu') return cpu
  if (/^cuda(:\d+)?$/.test(name))
    throw new DeviceError(`device: expected a build with CUDA for '${name}', got one without`)
  throw new ConfigError(`device: expected auto, cpu, cuda or cuda:<n>, got ${describe(name)}`)
}

/** Threads that arithmetic on the CPU uses, for the whole process. @default all cores, or DUOFORMER_THREADS */
export function setThreads(threads: number): void {
  addon.setThreads(threads)
}

/** What this build is and runs on. */
export function runtimeInfo(): {
  isa: string
  threads: number
  maxThreads: number
  cuda: boolean
} {
  const { isa, threads, maxThreads, cuda } = addon.info()
  return { isa, threads, maxThreads, cuda }
}
