import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Console } from '../../lib/cli/console.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => vi.useRealTimers())

function streamOf(isTTY: boolean): { stream: NodeJS.WriteStream; written: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 20 })
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => String(stream.read() ?? '') }
}

const consoleOf = (output: NodeJS.WriteStream, messages: NodeJS.WriteStream) =>
  new Console(process.stdin, output, messages, new AbortController().signal)

it('on a terminal is one line that changes, and makes way for messages and output', async () => {
  const [output, messages] = [streamOf(true), streamOf(true)]
  const console = consoleOf(output.stream, messages.stream)
  console.progress(() => 'one')
  expect(messages.written()).toBe('\r\x1b[Kone')
  console.progress(() => 'too soon')
  expect(messages.written()).toBe('')
  vi.advanceTimersByTime(100)
  console.progress(() => 'longer than the terminal is wide')
  expect(messages.written()).toBe('\r\x1b[Klonger than the ter')
  console.note('done')
  expect(messages.written()).toBe('\r\x1b[Kdone\n')
  vi.advanceTimersByTime(100)
  console.progress(() => 'two')
  messages.written()
  await console.print('result')
  expect([messages.written(), output.written()]).toEqual(['\r\x1b[K', 'result\n'])
})

it('in a log is a plain line each ten seconds', () => {
  const [output, messages] = [streamOf(false), streamOf(false)]
  const console = consoleOf(output.stream, messages.stream)
  for (let second = 0; second <= 20; second++) {
    console.progress(() => `${second} texts`)
    vi.advanceTimersByTime(1000)
  }
  console.clearProgress()
  expect(messages.written()).toBe('10 texts\n20 texts\n')
})
