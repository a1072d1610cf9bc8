// A process of the tests: trains in a folder from its last checkpoint on, saving every second step, until it has taken 24.
import { setTimeout } from 'node:timers/promises'
import { train } from '../../lib/index.ts'
import { setup } from './tiny.ts'

const [dir = '', pauseMs = '0'] = process.argv.slice(2)

async function main(): Promise<void> {
  const { options } = setup({ maxSteps: 24, averages: { decay: 0.9 }, checkpoints: { dir, every: 2 } })
  const trainer = new train.Trainer(options)
  await trainer.resume()
  process.stdout.write(`from ${trainer.step}\n`)
  for await (const _ of trainer.run()) await setTimeout(Number(pauseMs))
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
