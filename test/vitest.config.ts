import { defineConfig } from 'vitest/config'

const project = (isa: string, include: string[]) => ({
  extends: true as const,
  test: {
    name: isa || 'default',
    env: isa ? { DUOFORMER_ISA: isa } : {},
    include,
  },
})

// The op suite runs once for each instruction set of this machine's architecture that it can run on.
const isas = process.arch === 'arm64' ? ['scalar', 'neon'] : ['scalar', 'avx2']

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    pool: 'forks',
    testTimeout: 60_000,
    projects: [
      ...isas.map((isa) => project(isa, ['test/ops/**/*.test.ts'])),
      {
        extends: true,
        test: {
          name: 'default',
          include: ['test/**/*.test.ts'],
          exclude: ['test/ops/**', '**/*.full.test.ts'],
        },
      },
    ],
  },
})
