// A process of the tests: saves a model of 1 MB, whose elements are all one value, once, five times, or until killed.
import { saveFolder } from '../../lib/checkpoint/save-folder.ts'
import { Tensor } from '../../lib/index.ts'

const [folder = '', text = '', times] = process.argv.slice(2)
const value = Number(text)

// Without a handler the signal ends the process before the write can fail.
process.on('SIGXFSZ', () => {})

async function main(): Promise<void> {
  const tensors = { a: Tensor.full([250_000], value) }
  const count = times === 'once' ? 1 : times === 'five' ? 5 : Number.POSITIVE_INFINITY
  for (let i = 0; i < count; i++) {
    console.log(i)
    await saveFolder(folder, { 'config.json': JSON.stringify({ value }) }, { tensors })
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
