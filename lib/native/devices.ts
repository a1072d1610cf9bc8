import { ConfigError, describe } from '../errors.ts'
import { addon } from './load.ts'

/** A device's name; `cuda` is `cuda:0`. */
export type DeviceName = 'cpu' | 'cuda' | `cuda:${number}`

// Number 0 is the CPU, 1 + n is cuda:n, as in native/ops/device.h.
let defaultNumber = 0

/** @internal The number of a device, opened on this thread. @throws {DeviceError} that says what is missing for it. */
export function openDevice(name: DeviceName | 'auto'): number {
  if (name === 'cpu') return 0
  if (name === 'auto') return automatic()
  const index = /^cuda(?::(\d+))?$/.exec(String(name))
  if (!index) throw new ConfigError(`device: expected auto, cpu, cuda or cuda:<n>, got ${describe(name)}`)
  const number = 1 + Number(index[1] ?? 0)
  addon.openDevice(number)
  return number
}

let chosen: number | null = null

/** The first CUDA device, or the CPU where there is none, which is said once. */
function automatic(): number {
  if (chosen === null) {
    const { devices, problem } = addon.cudaInfo()
    chosen = devices.length > 0 ? openDevice('cuda') : 0
    if (chosen === 0) process.emitWarning(`device 'auto' is the CPU: ${problem}`)
  }
  return chosen
}

/** @internal */
export function deviceName(number: number): DeviceName {
  return number === 0 ? 'cpu' : `cuda:${number - 1}`
}

/** @internal The number of the device that a tensor is made on: of the given name, else the default. */
export function deviceNumber(name: DeviceName | undefined): number {
  return name === undefined ? defaultNumber : openDevice(name)
}

/** @internal Runs synchronous code whose tensors are made on a device, where it does not say which. */
export function withDevice<T>(name: DeviceName, fn: () => T): T {
  const before = defaultNumber
  defaultNumber = openDevice(name)
  try {
    return fn()
  } finally {
    defaultNumber = before
  }
}

/** @internal */
export function setDefaultNumber(number: number): void {
  defaultNumber = number
}
