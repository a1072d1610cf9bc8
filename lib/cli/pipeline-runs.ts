// What the commands that run a pipeline share.

import type { Pipeline, PipelineTask } from '../pipelines/index.ts'
import { computeWith } from './compute.ts'
import { type Console, OutputClosed } from './console.ts'
import { flag, only, type Values } from './flags.ts'
import { modelFlags, resolveOptions } from './model-flags.ts'
import { type Texts, textFlags } from './texts.ts'

/** Options of every command that runs a pipeline. */
export const runFlags = {
  ...textFlags,
  json: flag('print one JSON object a line: {"text", "output"}'),
  ...modelFlags,
}

/** Loads a model and its tokenizer. */
export async function loadPipeline<T extends PipelineTask>(
  task: T,
  model: string,
  values: Values<typeof modelFlags>,
  input: Texts,
  console: Console,
): Promise<Pipeline<T>> {
  console.progress(() => `loading ${model}`)
  const { pipeline } = await import('../pipelines/index.ts')
  const { device: _device, threads: _threads, ...options } = only(values, modelFlags)
  await computeWith(values)
  const typed = input.typed ? { batchSize: 1 } : {}
  return pipeline(task, model, { ...typed, ...options, ...resolveOptions(values, console) })
}

/** How a command shows the output of a text. */
export interface Shown<T> {
  /** As a line for people. */
  readonly line: (output: T, text: string) => string
  /** As JSON. @default the output itself */
  readonly json?: (output: T, text: string) => unknown
}

/**
 * Prints the output of each text as soon as it is there, one line or JSON object a text. An empty line has no output, and
 * gives an empty line or null: lines of input and output correspond.
 *
 * @param run the pipeline, with its options.
 */
export async function printOutputs<T>(
  { lines }: Texts,
  run: (lines: AsyncIterable<string>) => AsyncIterable<T>,
  { line, json = (output) => output }: Shown<T>,
  asJson: boolean,
  console: Console,
): Promise<void> {
  const waiting: string[] = []
  let done = 0
  const read = async function* () {
    for await (const text of lines) {
      waiting.push(text)
      if (text !== '') yield text
    }
  }
  const print = (text: string, output: T | null) => {
    done++
    if (asJson) return console.printJson({ text, output: output === null ? null : json(output, text) })
    return console.print(output === null ? '' : line(output, text))
  }
  const printEmpty = async () => {
    while (waiting[0] === '') await print(waiting.shift() as string, null)
  }
  try {
    for await (const output of run(read())) {
      await printEmpty()
      await print(waiting.shift() as string, output)
      if (!console.isTerminal) console.progress(() => `${done} texts`)
    }
    await printEmpty()
  } catch (error) {
    const expected = console.signal.aborted || error instanceof OutputClosed
    if (done > 0 && !expected) console.note(`Stopped after text ${done}.`)
    throw error
  }
}
