import { Progress } from './progress.ts'

/** Whoever read the output stopped reading (`| head`): the process ends without a word. */
export class OutputClosed extends Error {}

/** Where a command reads and writes, and what tells it to stop. */
export class Console {
  readonly #progress: Progress

  constructor(
    readonly input: NodeJS.ReadStream,
    private readonly output: NodeJS.WriteStream,
    private readonly messages: NodeJS.WriteStream,
    /** Aborted by the first SIGINT. */
    readonly signal: AbortSignal,
  ) {
    this.#progress = new Progress(messages)
    // The callbacks of writes tell of errors, but without a listener the event would end the process.
    output.on('error', () => {})
    messages.on('error', () => {})
  }

  /** Whether output goes where the progress is: what is printed shows how far a command is. */
  get isTerminal(): boolean {
    return this.output.isTTY
  }

  /**
   * Resolves when the text was taken, so that a slow reader slows the command down.
   *
   * @throws {OutputClosed} when nobody reads any more; the signal's reason, once it is aborted.
   */
  async write(text: string): Promise<void> {
    this.signal.throwIfAborted()
    if (this.output.isTTY) this.#progress.clear()
    await new Promise<void>((resolve, reject) => {
      const stop = () => reject(this.signal.reason)
      this.signal.addEventListener('abort', stop)
      this.output.write(text, (error) => {
        this.signal.removeEventListener('abort', stop)
        if (!error) resolve()
        else reject((error as NodeJS.ErrnoException).code === 'EPIPE' ? new OutputClosed() : error)
      })
    })
  }

  print(line: string): Promise<void> {
    return this.write(`${line}\n`)
  }

  /** One line that a program reads. */
  printJson(value: unknown): Promise<void> {
    return this.print(JSON.stringify(value))
  }

  /** For the user, not for a program that reads the output. */
  note(line: string): void {
    this.#progress.clear()
    this.messages.write(`${line}\n`)
  }

  /** @param text made only when it is shown. */
  progress(text: () => string): void {
    this.#progress.show(text)
  }

  clearProgress(): void {
    this.#progress.clear()
  }
}
