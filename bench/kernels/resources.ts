// What ptxas says of kernels (ptxas -v): registers, spills, shared memory.

export interface Resources {
  /** Of a thread. */
  readonly registers: number
  /** Of local memory and thread; spills are part of it. */
  readonly stackBytes: number
  readonly spillStoreBytes: number
  readonly spillLoadBytes: number
  /** Declared by the kernel; a launch may add to it. */
  readonly staticShared: number
}

/**
 * @param text what ptxas wrote when it assembled one file.
 * @returns by kernel.
 * @throws {Error} with ptxas's own message where it failed, or where a kernel's lines are missing.
 */
export function parseResources(text: string): Map<string, Resources> {
  const failure = /^ptxas.*?\b(?:error|fatal)\b.*$/m.exec(text)
  if (failure) throw new Error(`ptxas: expected machine code, got: ${failure[0]}`)
  const all = new Map<string, Resources>()
  for (const part of text.split(/(?=Compiling entry function ')/).slice(1)) {
    const kernel = /'(\w+)'/.exec(part)![1] as string
    const memory =
      /Function properties for (\w+)\s+(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/g
    const own = [...part.matchAll(memory)].find((match) => match[1] === kernel)
    const registers = /Used (\d+) registers/.exec(part)
    if (!own || !registers) throw new Error(`ptxas: expected stack frame and registers of ${kernel}, got: ${part}`)
    all.set(kernel, {
      registers: Number(registers[1]),
      stackBytes: Number(own[2]),
      spillStoreBytes: Number(own[3]),
      spillLoadBytes: Number(own[4]),
      staticShared: Number(/(\d+) bytes smem/.exec(part)?.[1] ?? 0),
    })
  }
  return all
}

/**
 * How many blocks a multiprocessor of sm_80 holds: 65,536 registers, handed out to warps in units of 256; 164 KiB of shared
 * memory, of which each block needs 1 KiB more than it asks for; 64 warps and 32 blocks.
 */
export function blocksPerMultiprocessor(registers: number, threads: number, shared: number): number {
  const warps = Math.ceil(threads / 32)
  const perWarp = Math.ceil((registers * 32) / 256) * 256
  return Math.min(
    Math.floor(65536 / (perWarp * warps)),
    Math.floor(167936 / (shared + 1024)),
    Math.floor(64 / warps),
    32,
  )
}
