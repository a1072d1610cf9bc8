import type { TrainingEvent } from '../events.ts'

/** What writes down, or shows, how a run goes. */
export interface TrainingLog {
  /** Takes an event in; events come in their order, one at a time. */
  event(event: TrainingEvent): void | Promise<void>
  /** Writes what is left. The log is of no use afterwards. */
  close(): Promise<void>
}

/** Passes events on to all logs, and closes them in the end, also when the run or one of them fails. */
export async function* logged(
  events: AsyncIterable<TrainingEvent>,
  logs: readonly TrainingLog[],
): AsyncGenerator<TrainingEvent, void, undefined> {
  try {
    for await (const event of events) {
      for (const log of logs) await log.event(event)
      yield event
    }
  } finally {
    await Promise.all(logs.map((log) => log.close()))
  }
}
