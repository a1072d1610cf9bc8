// One measured process of load.ts: load-child.mjs bare | checkpoint PATH DTYPE. Plain JavaScript over the built package, so
// that no compiler's memory is counted.
import { readFileSync } from 'node:fs'

const [kind, path, dtype] = process.argv.slice(2)
let loadMs = 0
if (kind === 'checkpoint') {
  const { device, SafetensorsFile } = await import('../dist/index.js')
  const start = performance.now()
  const file = SafetensorsFile.open(path)
  const tensors = file.names().map((name) => file.load(name, { dtype }))
  file.close()
  await device().synchronize()
  loadMs = performance.now() - start
  for (const tensor of tensors) tensor.dispose()
}
// The largest resident set so far, mapped pages of files included.
const peakKilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])
console.log(JSON.stringify({ loadMs, peakRssBytes: peakKilobytes * 1024 }))
