// One measured process of load.ts: load-child.mjs bare | checkpoint PATH DTYPE | model FOLDER CLASS. Plain JavaScript over the built package, so
// that no compiler's memory is counted.
import { readFileSync } from 'node:fs'

const [kind, path, detail] = process.argv.slice(2)
let loadMs = 0
if (kind === 'checkpoint') {
  const { device, SafetensorsFile } = await import('../dist/index.js')
  const start = performance.now()
  const file = SafetensorsFile.open(path)
  const tensors = file.names().map((name) => file.load(name, { dtype: detail }))
  file.close()
  await device().synchronize()
  loadMs = performance.now() - start
  for (const tensor of tensors) tensor.dispose()
}
if (kind === 'model') {
  const library = await import('../dist/index.js')
  const start = performance.now()
  const model = await library[detail].fromPretrained(path)
  const inputs = { inputIds: [[5, 6, 7, 8, 1]], ...(detail.startsWith('T5') && { decoderInputIds: [[0]] }) }
  const output = library.noGrad(() => model.forward(inputs))
  await (output.logits ?? output.lastHiddenState).data()
  loadMs = performance.now() - start
}
// The largest resident set so far, mapped pages of files included.
const peakKilobytes = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])
console.log(JSON.stringify({ loadMs, peakRssBytes: peakKilobytes * 1024 }))
