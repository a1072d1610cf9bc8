import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { DataError } from '../errors.ts'
import type { Tokenizer } from '../tokenizers/tokenizer.ts'

/**
 * What the thread runs. A text, since a module of TypeScript could not be a thread's entry where the library runs from its
 * sources. It ends by itself when told to, never within a call: ids cross as one array that is moved, not copied.
 */
const program = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { Tokenizer } = require(workerData.library)
  const tokenizer = Tokenizer.fromString(workerData.text)
  tokenizer.addSpecialTokens(workerData.specialTokens)
  parentPort.on('message', async ({ call, texts }) => {
    if (texts === null) return parentPort.close()
    try {
      const sequences = (await tokenizer.encodeBatch(texts, { addSpecialTokens: false })).map((one) => one.getIds())
      const lengths = Int32Array.from(sequences, (ids) => ids.length)
      const ids = new Int32Array(lengths.reduce((sum, length) => sum + length, 0))
      let at = 0
      for (const sequence of sequences) {
        ids.set(sequence, at)
        at += sequence.length
      }
      parentPort.postMessage({ call, lengths, ids }, [lengths.buffer, ids.buffer])
    } catch (error) {
      parentPort.postMessage({ call, error: String(error) })
    }
  })
`

interface Reply {
  readonly call: number
  readonly lengths: Int32Array
  readonly ids: Int32Array
  readonly error?: string
}

interface Call {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

/** A tokenizer in a thread of its own. The thread does not keep the process alive, unless it is being waited for. */
class TokenWorker {
  readonly #worker: Worker
  readonly #calls = new Map<number, Call>()
  #count = 0
  #failure: Error | null = null

  constructor({ text, specialTokens }: Tokenizer['librarySource']) {
    const library = createRequire(import.meta.url).resolve('@anush008/tokenizers')
    this.#worker = new Worker(program, { eval: true, workerData: { library, text, specialTokens } })
    this.#worker.unref()
    this.#worker.on('message', (reply: Reply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#fail(error.message))
    this.#worker.on('exit', (code) => this.#fail(`its thread ended with code ${code}`))
  }

  async encode(texts: readonly string[]): Promise<Int32Array[]> {
    if (this.#failure) throw this.#failure
    this.#worker.ref()
    const call = this.#count++
    const { lengths, ids } = await new Promise<Reply>((resolve, reject) => {
      this.#calls.set(call, { resolve, reject })
      this.#worker.postMessage({ call, texts })
    })
    let at = 0
    return Array.from(lengths, (length) => {
      at += length
      return ids.subarray(at - length, at)
    })
  }

  close(): void {
    this.#worker.postMessage({ call: -1, texts: null })
  }

  #settle(reply: Reply): void {
    const { resolve, reject } = this.#calls.get(reply.call) as Call
    this.#calls.delete(reply.call)
    if (this.#calls.size === 0) this.#worker.unref()
    if (reply.error === undefined) resolve(reply)
    else reject(new DataError(`tokenize: expected ids of texts, got: ${reply.error}`))
  }

  #fail(reason: string): void {
    this.#failure ??= new DataError(`tokenize: expected a thread that tokenizes, got: ${reason}`)
    for (const { reject } of this.#calls.values()) reject(this.#failure)
    this.#calls.clear()
  }
}

const workers = new WeakMap<Tokenizer, TokenWorker>()
const collected = new FinalizationRegistry<TokenWorker>((worker) => worker.close())

/**
 * The ids of texts, without special tokens, found in another thread: one for each tokenizer, started by its first call.
 *
 * @throws {DataError} if the thread fails.
 */
export function encodeInWorker(tokenizer: Tokenizer, texts: readonly string[]): Promise<Int32Array[]> {
  let worker = workers.get(tokenizer)
  if (!worker) {
    worker = new TokenWorker(tokenizer.librarySource)
    workers.set(tokenizer, worker)
    collected.register(tokenizer, worker)
  }
  return worker.encode(texts)
}
