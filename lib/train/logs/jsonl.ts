import { readFile, rename, writeFile } from 'node:fs/promises'
import type { TrainingEvent } from '../events.ts'
import { LogFile, writing } from './file.ts'
import type { TrainingLog } from './log.ts'

/** Writes each event as one line of JSON, with `time`: seconds since the epoch. */
export class JsonlLog implements TrainingLog {
  private constructor(private readonly file: LogFile) {}

  /**
   * Appends to a file, or begins it.
   *
   * @param afterStep where a resumed run goes on: later events, of a run that was killed after its checkpoint, are removed.
   * @throws {DataError} if the file cannot be written.
   */
  static async open(path: string, { afterStep = 0 }: { afterStep?: number } = {}): Promise<JsonlLog> {
    await removeAfter(path, afterStep)
    return new JsonlLog(await LogFile.append(path))
  }

  async event(event: TrainingEvent): Promise<void> {
    await this.file.write(`${JSON.stringify({ time: Date.now() / 1000, ...event })}\n`)
  }

  close(): Promise<void> {
    return this.file.close()
  }
}

async function removeAfter(path: string, step: number): Promise<void> {
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n')
  const kept = lines.filter((line) => line !== '' && stepOf(line) <= step)
  if (kept.length === lines.filter((line) => line !== '').length) return
  await writing(path, async () => {
    await writeFile(`${path}.new`, kept.map((line) => `${line}\n`).join(''))
    await rename(`${path}.new`, path)
  })
}

/** Of a line that was cut off: Infinity. */
function stepOf(line: string): number {
  try {
    return (JSON.parse(line) as { step: number }).step
  } catch {
    return Infinity
  }
}
