// Checks (or with --write mends) the format of every native source that git knows.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'native', 'test'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.(cpp|h|cu|cuh)$/.test(file) && !file.endsWith('kernels.h'))
const { getNativeBinary } = createRequire(import.meta.url)('clang-format')
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror']
try {
  execFileSync(getNativeBinary(), [...mode, ...files], { stdio: ['ignore', 'inherit', 'inherit'] })
} catch {
  console.error('clang-format: expected formatted sources, got the differences above; run npm run format')
  process.exit(1)
}
