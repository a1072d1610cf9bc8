// Runs every work on the simulated driver and prints, as a line of JSON each, what its launches counted. The driver writes
// them to the file that GPUSIM_LAUNCHES names, as they end.
import { appendFileSync, closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { device, noGrad, scope, setDefaultDevice } from '../../lib/index.ts'
import type { Counted, SimulatedLaunch } from './simulate.ts'
import { works } from './works/index.ts'

const [output, only = ''] = process.argv.slice(2) as [string, string?]
const launches = process.env.GPUSIM_LAUNCHES as string
writeFileSync(launches, '')
writeFileSync(output, '')
const file = openSync(launches, 'r')
let position = 0

function newLaunches(): SimulatedLaunch[] {
  const buffer = Buffer.alloc(1 << 16)
  let text = ''
  for (let length = -1; length !== 0; ) {
    length = readSync(file, buffer, 0, buffer.length, position)
    position += length
    text += buffer.toString('utf8', 0, length)
  }
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SimulatedLaunch)
}

setDefaultDevice('cuda')
const cuda = device('cuda')
for (const work of works.filter(({ name }) => name.includes(only))) {
  try {
    cuda.setTf32(work.tf32 ?? false)
    const run = noGrad(() => work.prepare())
    await cuda.synchronize()
    newLaunches()
    cuda.resetCounters()
    noGrad(() => scope(() => void run()))
    await cuda.synchronize()
  } catch (error) {
    throw new Error(`${work.name}: ${(error as Error).message}`, { cause: error })
  }
  const ofOps = Object.entries(cuda.counters())
  const counted: Counted = {
    work: work.name,
    ops: ofOps.map(([name]) => name),
    operandBytes: ofOps.reduce((sum, [, op]) => sum + op.bytes, 0),
    launches: newLaunches(),
  }
  appendFileSync(output, `${JSON.stringify(counted)}\n`)
  cuda.trim()
}
closeSync(file)
