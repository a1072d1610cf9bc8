import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { importsOf, libViolations, nativeViolations } from './rules.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

function filesOf(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => `${folder}/${name}`)
}

const read = (path: string) => readFileSync(join(root, path), 'utf8')

describe('imports go downward only', () => {
  it('in native', () => {
    const files = ['core', 'ops', 'cpu', 'cuda', 'napi'].flatMap((name) =>
      filesOf(`native/${name}`, /\.(h|cuh|cpp|cu)$/),
    )
    expect(files.length).toBeGreaterThan(40)
    expect(files.flatMap((path) => nativeViolations(path, read(path)))).toEqual([])
  })

  it('in lib', () => {
    const files = filesOf('lib', /\.ts$/)
    expect(files.length).toBeGreaterThan(15)
    expect(files.flatMap((path) => libViolations(path, read(path)))).toEqual([])
  })
})

describe('the checker', () => {
  const native: [path: string, text: string][] = [
    ['native/core/queue.cpp', '#include "ops/registry.h"'],
    ['native/core/queue.cpp', '#include "cpu/isa.h"'],
    ['native/core/queue.cpp', '  #  include  "napi/environment.h"'],
    ['native/core/tensor.h', '#include <napi.h>'],
    ['native/core/tensor.h', '#include <sys/mman.h>'],
    ['native/ops/gemm.cpp', '#include "cpu/thread_pool.h"'],
    ['native/ops/gemm.cpp', '#include "cpu/vec.h"'],
    ['native/ops/gemm.cpp', '#include "napi/environment.h"'],
    ['native/cpu/gemm.cpp', '#include "cuda/kernels.h"'],
    ['native/cpu/gemm.cpp', '#include "napi/environment.h"'],
    ['native/cpu/gemm.cpp', '#include "ops/device.h"'],
    ['native/cpu/gemm.cpp', '#include "ops/families.h"'],
    ['native/cpu/gemm.cpp', '#include "ops/registry.h"\n#include <node_api.h>'],
    ['native/cuda/gemm.cpp', '#include "cpu/kernels.h"'],
    ['native/napi/addon.cpp', '#include "cpu/kernels.h"'],
    ['native/cpu/gemm.cpp', 'void f() { std::cerr << 1; }'],
    ['native/cpu/gemm.cpp', 'void f() { abort(); }'],
    ['native/other/gemm.cpp', '#include "core/tensor.h"'],
  ]
  it.each(native)('%s: %s is refused', (path, text) => {
    expect(nativeViolations(path, text)).toHaveLength(1)
  })

  const lib: [path: string, text: string][] = [
    ['lib/tensor.ts', "import { x } from './autograd/tape.ts'"],
    ['lib/tensor.ts', "import {\n  x,\n  y,\n} from './ops/index.ts'"],
    ['lib/tensor.ts', "export * from './autograd/tape.ts'"],
    ['lib/tensor.ts', "import './autograd/tape.ts'"],
    ['lib/tensor.ts', "const x = await import('./autograd/tape.ts')"],
    ['lib/errors.ts', "import { x } from './tensor.ts'"],
    ['lib/ops/gemm.ts', "import type { x } from '../nn/linear.ts'"],
    ['lib/nn/linear.ts', "import { x } from '../checkpoint/names.ts'"],
    ['lib/nn/linear.ts', "import { addon } from '../native/load.ts'"],
    ['lib/checkpoint/names.ts', "import { addon } from '../native/load.ts'"],
    ['lib/models/t5.ts', "import { x } from '../train/trainer.ts'"],
    ['lib/models/t5.ts', "import { x } from '../index.ts'"],
    ['lib/models/t5.ts', "import { x } from '../../test/harness.ts'"],
    ['lib/tokenizers/files.ts', "import { x } from '../models/t5.ts'"],
    ['lib/unheard/of.ts', ''],
    ['lib/ops/gemm.ts', "console.log('hello')"],
    ['lib/train/trainer.ts', 'const args = process.argv'],
    ['lib/train/trainer.ts', 'process.exit(1)'],
    ['lib/index.ts', 'const x = 1'],
  ]
  it.each(lib)('%s: %s is refused', (path, text) => {
    expect(libViolations(path, text)).toHaveLength(1)
  })

  it('lets through what is allowed', () => {
    expect(nativeViolations('native/ops/gemm.cpp', '#include "cpu/kernels.h"\n#include "core/shape.h"')).toEqual([])
    expect(
      nativeViolations('native/cpu/gemm.cpp', '// #include "napi/x.h", abort()\n#include "ops/registry.h"'),
    ).toEqual([])
    expect(libViolations('lib/models/t5.ts', "// console.log\nimport { x } from '../nn/linear.ts'")).toEqual([])
    expect(libViolations('lib/cli/main.ts', "import '../train/trainer.ts'\nconsole.log(process.argv)")).toEqual([])
    expect(
      libViolations('lib/index.ts', "export {\n  x,\n} from './tensor.ts'\nexport * from './errors.ts'\n"),
    ).toEqual([])
    expect(importsOf("import a from 'a'\nexport { b } from \"b\" // from 'c'")).toEqual(['a', 'b'])
  })
})
