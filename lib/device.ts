import { ConfigError, describe } from './errors.ts'
import { type DeviceName, deviceName, deviceNumber, openDevice, setDefaultNumber } from './native/devices.ts'
import { addon, type CudaInfo } from './native/load.ts'

export type { CudaInfo, DeviceName }

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
  readonly #number: number

  constructor(
    readonly name: DeviceName,
    number: number,
  ) {
    this.#number = number
  }

  memory(): MemoryUse {
    return addon.memory(this.#number)
  }

  /** What was queued on this thread since its start, or the last `resetCounters()`: by native op, those called alone. */
  counters(): Record<string, OpCounter> {
    return addon.counters(this.#number)
  }

  resetCounters(): void {
    addon.resetCounters(this.#number)
  }

  resetPeak(): void {
    addon.resetPeak(this.#number)
  }

  /** Gives cached memory back to the system; waits for queued ops when there is any. */
  trim(): void {
    addon.trim(this.#number)
  }

  /** Caps live and cached memory; what goes beyond throws a DeviceError at the call. @default all memory of the device */
  setMemoryLimit(bytes: number): void {
    if (!(Number.isSafeInteger(bytes) && bytes > 0)) {
      throw new ConfigError(`setMemoryLimit: expected a positive number of bytes, got ${describe(bytes)}`)
    }
    addon.setMemoryLimit(this.#number, bytes)
  }

  /**
   * Whether float32 products of ops that are queued from here on may round their operands to tf32 (10 bits of mantissa),
   * which tensor cores multiply several times faster. The CPU has no such products and ignores it. @default false
   */
  setTf32(allowed: boolean): void {
    addon.setTf32(this.#number, allowed)
  }

  /** Resolves when everything queued so far has run. @throws the earliest error of a queued op, once. */
  synchronize(): Promise<void> {
    return addon.synchronize(this.#number)
  }
}

/** @internal */
export { withDevice } from './native/devices.ts'
export type { Device }

const opened = new Map<number, Device>()

/**
 * @param name `cuda` is `cuda:0`; 'auto' is the first CUDA device, or the CPU where there is none, with a warning that says
 *   once what is missing. @default the default device
 * @throws {DeviceError} when that device cannot be used: it says what is missing.
 */
export function device(name?: DeviceName | 'auto'): Device {
  const number = name === undefined ? deviceNumber(undefined) : openDevice(name)
  const known = opened.get(number)
  if (known) return known
  const added = new Device(deviceName(number), number)
  opened.set(number, added)
  return added
}

/** The device of tensors that are made without saying which, on this thread. @default 'cpu' */
export function setDefaultDevice(name: DeviceName | 'auto'): void {
  setDefaultNumber(openDevice(name))
}

/** Threads that arithmetic on the CPU uses, for the whole process. @default all cores, or DUOFORMER_THREADS */
export function setThreads(threads: number): void {
  addon.setThreads(threads)
}

/** What this build is and runs on. `cuda` is looked up when it is read: that loads the driver. */
export function runtimeInfo(): {
  isa: string
  threads: number
  maxThreads: number
  readonly cuda: CudaInfo
} {
  const { isa, threads, maxThreads } = addon.info()
  return {
    isa,
    threads,
    maxThreads,
    get cuda() {
      return addon.cudaInfo()
    },
  }
}
