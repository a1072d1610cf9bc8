import { defineConfig } from 'vitest/config'
import { instructionSets } from './instruction-sets.ts'

interface Project {
  name: string
  include: string[]
  exclude?: string[]
  env?: Record<string, string>
  fileParallelism?: false
  sequence?: { groupOrder: number }
}

const project = (test: Project) => ({ extends: true as const, test })

// The op suite runs once for each instruction set of this machine.
const isas = instructionSets()

/** On the real driver; skipped where there is none. */
const onGpu = 'test/**/*.gpu.test.ts'
const simulator = new URL('../build/cuda/libgpusim.so', import.meta.url).pathname
const timing = 'test/**/timing.test.ts'

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    pool: 'forks',
    testTimeout: 60_000,
    // No suite but that of CUDA finds a driver, whatever machine it runs on.
    env: { DUOFORMER_CUDA_DRIVER: '/nonexistent/libcuda.so.1' },
    projects: [
      ...isas.map((isa) => project({ name: isa, env: { DUOFORMER_ISA: isa }, include: ['test/ops/**/*.test.ts'] })),
      project({
        name: 'default',
        include: ['test/**/*.test.ts'],
        exclude: ['test/ops/**', '**/*.full.test.ts', onGpu, timing],
      }),
      project({ name: 'gpu', include: [onGpu], env: { DUOFORMER_CUDA_DRIVER: '' } }),
      project({ name: 'gpusim', include: [onGpu], env: { DUOFORMER_CUDA_DRIVER: simulator } }),
      // On a quiet machine and after the others, which would take the cores that it measures.
      project({ name: 'full-timing', include: [timing], sequence: { groupOrder: 1 }, fileParallelism: false }),
      // With little shared memory, blocks and warps in another order, approximations that are off, sums of another order.
      project({
        name: 'full-gpusim',
        include: [onGpu],
        env: {
          DUOFORMER_CUDA_DRIVER: simulator,
          ...{ GPUSIM_ARCH: 'sm_86', GPUSIM_SHUFFLE: '7', GPUSIM_JITTER: '3', GPUSIM_MMA: 'f64' },
        },
      }),
      // Minutes, and a quiet machine: npm run test:full.
      project({ name: 'full', include: ['test/**/*.full.test.ts'] }),
    ],
  },
})
