// The package's JavaScript: one module that the library is, and beside it the command line in pieces as it loads them.
// A module of its own for each source file took four times as long to import.
import { chmodSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'rolldown'

const lib = fileURLToPath(new URL('.', import.meta.url))
const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${lib}../package.json`, 'utf8'))
const common = [`${lib}errors.ts`, `${lib}generate/config.ts`]

export default defineConfig({
  input: { index: `${lib}index.ts`, 'cli/bin': `${lib}cli/bin.ts` },
  external: [/^node:/, ...Object.keys({ ...dependencies, ...peerDependencies })],
  platform: 'node',
  tsconfig: `${lib}tsconfig.json`,
  transform: { target: 'es2022' },
  // npm makes it so where it installs the package; `npx` in a clone does not.
  plugins: [{ name: 'executable', writeBundle: () => chmodSync(`${lib}../dist/cli/bin.js`, 0o755) }],
  output: {
    dir: `${lib}../dist`,
    cleanDir: true,
    format: 'esm',
    // Checkpoints and messages name classes.
    keepNames: true,
    chunkFileNames: ({ name }) => (/^(library|common|rolldown-runtime)$/.test(name) ? '[name].js' : 'cli/[name].js'),
    codeSplitting: {
      groups: [
        // What the command line needs for its help and the library as well.
        { name: 'common', priority: 1, test: (id) => /^\0/.test(id) || common.includes(id) },
        { name: 'library', test: (id) => !id.startsWith(`${lib}cli/`) && id !== `${lib}index.ts` },
      ],
    },
    minifyInternalExports: false,
  },
})
