const terminalEveryMs = 100
const logEveryMs = 10_000
const clear = '\r\x1b[K'

/** Tells how far a command has come: on a terminal one line that changes, in a log a plain line now and then. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  #shown = false
  #due: number

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    // A log hears nothing of what is over at once.
    this.#due = performance.now() + (stream.isTTY ? 0 : logEveryMs)
  }

  show(text: () => string): void {
    if (performance.now() < this.#due) return
    this.#due = performance.now() + (this.#stream.isTTY ? terminalEveryMs : logEveryMs)
    this.#shown = true
    // A longer line would wrap, and the part above could not be cleared.
    if (this.#stream.isTTY) this.#stream.write(clear + text().slice(0, this.#stream.columns - 1))
    else this.#stream.write(`${text()}\n`)
  }

  /** Takes the line away: something else is written, or there is nothing more to tell. */
  clear(): void {
    if (this.#shown && this.#stream.isTTY) this.#stream.write(clear)
    this.#shown = false
  }
}
