// npm run bench -- [ops] [gemm] [attention] [load] …   Without names: all.
import { runtimeInfo } from '../lib/index.ts'
import { benchAttention } from './attention.ts'
import { benchGemm } from './gemm.ts'
import { benchLoad } from './load.ts'
import { benchOps } from './ops.ts'

const benches: Record<string, () => Promise<void>> = {
  attention: benchAttention,
  ops: benchOps,
  gemm: benchGemm,
  load: benchLoad,
}

const names = process.argv.slice(2)
const unknown = names.filter((name) => !(name in benches))
if (unknown.length > 0) {
  console.error(`bench: expected ${Object.keys(benches).join(', ')}, got ${unknown.join(', ')}`)
  process.exit(2)
}
const { isa, threads } = runtimeInfo()
console.log(`duoformer on ${process.arch}, ${isa}, ${threads} threads, Node ${process.version}`)
for (const name of names.length > 0 ? names : Object.keys(benches)) await benches[name]!()
