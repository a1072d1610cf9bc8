import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { device, type Features, type PipelineTask, pipeline } from '../../lib/index.ts'
import { type ModelName, modelNames, writeModel } from './folders.ts'

interface Case {
  readonly name: string
  readonly model: ModelName
  readonly task: PipelineTask
  readonly input: unknown
  readonly options?: object
}

const golden = new URL('../golden/pipelines/', import.meta.url)
const read = (name: string) => JSON.parse(readFileSync(new URL(name, golden), 'utf8'))
const cases: readonly Case[] = read('cases.json')
const expected: Record<string, { expected: unknown; tolerance: number }> = read('expected.json')

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'pipelines-'))
  for (const name of modelNames) writeModel(join(root, name), name)
})
afterAll(() => rmSync(root, { recursive: true }))

/** Calls of a task with cases of many types: the types are what the cases say. */
type AnyPipeline = Disposable & ((input: unknown, options?: object) => Promise<unknown>)

/** Like transformers: a list for each token. */
function nested({ data, shape }: Features): number[][] {
  const [tokens, width] = shape as [number, number]
  return Array.from({ length: tokens }, (_, t) => [...data.subarray(t * width, (t + 1) * width)])
}

function expectClose(got: unknown, want: unknown, tolerance: number, path: string): void {
  if (typeof want === 'number' && !Number.isInteger(want)) {
    expect(Math.abs((got as number) - want), path).toBeLessThanOrEqual(tolerance)
  } else if (typeof want === 'object' && want !== null) {
    expect(Object.keys(got as object).sort(), path).toEqual(Object.keys(want).sort())
    for (const [key, value] of Object.entries(want)) {
      expectClose((got as Record<string, unknown>)[key], value, tolerance, `${path}.${key}`)
    }
  } else expect(got, path).toBe(want)
}

describe('pipelines give what those of transformers give', () => {
  it('for all cases that were recorded', () => {
    expect(cases.length).toBeGreaterThan(40)
    expect(Object.keys(expected)).toEqual(cases.map(({ name }) => name))
  })

  it.each(cases)('$task: $name', async ({ name, model, task, input, options }) => {
    const before = device().memory().tensors
    {
      using call = (await pipeline(task, join(root, model))) as unknown as AnyPipeline
      const got = await call(input, options)
      const { expected: want, tolerance } = expected[name] as { expected: unknown; tolerance: number }
      expectClose(task === 'feature-extraction' ? nested(got as Features) : got, want, tolerance, name)
    }
    expect(device().memory().tensors).toBe(before)
  })
})
