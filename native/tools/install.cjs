// The package's install script. It never fails an installation and never downloads anything: where no binary matches it says
// what to do, and the import later says it again as a typed error.
const { existsSync } = require('node:fs')
const { join } = require('node:path')

const root = join(__dirname, '..', '..')
if (!existsSync(join(root, '.git'))) {
  try {
    require('node-gyp-build').path(root)
  } catch {
    console.warn(
      `duoformer: no shipped binary matches ${process.platform}-${process.arch}, Node ${process.version}. To build one from ` +
        'source (needs a C++20 compiler and CMake 3.18), run:\n' +
        '  npm install cmake-js@8 node-addon-api@8 && npx cmake-js build -d node_modules/duoformer',
    )
  }
}
