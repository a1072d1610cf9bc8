import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const readme = readFileSync(`${root}README.md`, 'utf8')
const file = `${root}build/readme-example.ts`
afterAll(() => rmSync(file, { force: true }))

test('the example of the README runs and prints a loss and a gradient', () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] as string
  // The package's own name resolves to the build; the sources are what is tested.
  writeFileSync(file, example.replace("'duoformer'", `'${root}lib/index.ts'`))
  const output = execFileSync(process.execPath, ['--import', 'tsx', file], { cwd: root, encoding: 'utf8' })
  const [loss, ...gradient] = [...output.matchAll(/-?\d+\.\d+(?:e-?\d+)?/g)].map((match) => Number(match[0]))
  expect(loss).toBeGreaterThan(0)
  expect(gradient).toHaveLength(4)
  // Logits' gradients of a row sum to zero, and so do the two columns of dW.
  expect((gradient[0] as number) + (gradient[1] as number)).toBeCloseTo(0, 5)
})

test('every script that the README names exists', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> }
  for (const [, name] of readme.matchAll(/`npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(name)
})
