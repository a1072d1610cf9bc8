#!/usr/bin/env node
// What prebuildify takes for node-gyp: it calls `rebuild --target=… --arch=…` in node-gyp's words, and cmake-js has others.
const { spawnSync } = require('node:child_process')

const options = Object.fromEntries(
  process.argv.slice(2).flatMap((arg) => {
    const match = /^--([^=]+)(?:=(.*))?$/.exec(arg)
    return match ? [[match[1], match[2] ?? '']] : []
  }),
)
const args = [
  'rebuild',
  '--runtime',
  options.runtime || 'node',
  '--runtime-version',
  options.target,
  '--arch',
  options.arch,
]
if ('debug' in options) args.push('--debug')
const result = spawnSync(process.execPath, [require.resolve('cmake-js/bin/cmake-js'), ...args], { stdio: 'inherit' })
process.exit(result.status ?? 1)
