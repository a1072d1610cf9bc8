import { readFileSync } from 'node:fs'

/** Those that the kernels are compiled for and this machine has. Says which it lacks. */
export function instructionSets(): string[] {
  if (process.arch === 'arm64') return ['scalar', 'neon']
  if (hasAvx512()) return ['scalar', 'avx2', 'avx512']
  console.log('skipped: the op suite on AVX-512, which this machine lacks')
  return ['scalar', 'avx2']
}

function hasAvx512(): boolean {
  if (process.platform !== 'linux') return false
  const flags = /^flags.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0].split(' ') ?? []
  return ['avx512f', 'avx512vl', 'avx512bw', 'avx512dq'].every((flag) => flags.includes(flag))
}
