// Where and with how much a command computes.
import type { DeviceName } from '../device.ts'
import { type Flag, integer, type Values } from './flags.ts'

const device: Flag<DeviceName | 'auto'> = {
  value: 'cpu|cuda|cuda:N|auto',
  description: 'where to compute; auto: a CUDA device where there is one [cpu]',
  expected: 'cpu, cuda, cuda:N or auto',
  parse: (values) => {
    const written = values.at(-1) as string
    return /^(cpu|cuda(:\d+)?|auto)$/.test(written) ? (written as DeviceName) : undefined
  },
}

export const computeFlags = {
  device,
  threads: integer('N', 'threads that arithmetic on the CPU uses [all cores]', 1),
}

/**
 * What follows is computed so.
 *
 * @throws {DeviceError} for a device that cannot be used.
 */
export async function computeWith({ device, threads }: Values<typeof computeFlags>): Promise<void> {
  const { setDefaultDevice, setThreads } = await import('../device.ts')
  if (threads !== undefined) setThreads(threads)
  if (device !== undefined) setDefaultDevice(device)
}
