// npm run bench -- [ops] [gemm] [attention] [load] [kernels] [profile] [models]
// Of the last two: [--threads 2,1] [--only TEXT] [--seconds 1.5]; of kernels: [--only TEXT]. Without names: all but those
// three, which take long.
import { parseArgs } from 'node:util'
import { runtimeInfo } from '../lib/index.ts'
import { benchAttention } from './attention.ts'
import { benchGemm } from './gemm.ts'
import { benchKernels } from './kernels/index.ts'
import { benchLoad } from './load.ts'
import { benchModels } from './models/index.ts'
import { benchOps } from './ops.ts'
import { benchProfile } from './profile/index.ts'

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '2,1' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '1.5' },
  },
})
const models = () =>
  benchModels({
    threads: values.threads.split(',').map(Number),
    only: values.only,
    seconds: Number(values.seconds),
  })
const benches: Record<string, () => Promise<void>> = {
  attention: benchAttention,
  ops: benchOps,
  gemm: benchGemm,
  load: benchLoad,
}
const profile = () => benchProfile({ threads: values.threads.split(',').map(Number), only: values.only })
const kernels = () => benchKernels({ only: values.only })
const all: Record<string, () => Promise<void>> = { ...benches, kernels, models, profile }

const unknown = names.filter((name) => !(name in all))
if (unknown.length > 0) {
  console.error(`bench: expected ${Object.keys(all).join(', ')}, got ${unknown.join(', ')}`)
  process.exit(2)
}
const { isa, threads } = runtimeInfo()
console.log(`duoformer on ${process.arch}, ${isa}, ${threads} threads, Node ${process.version}`)
for (const name of names.length > 0 ? names : Object.keys(benches)) await all[name]!()
