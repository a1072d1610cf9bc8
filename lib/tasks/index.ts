import { ConfigError, describe } from '../errors.ts'
import { generationTasks } from './generation.ts'
import { glueTasks } from './glue.ts'
import { superGlueTasks } from './super-glue.ts'
import type { TextTask } from './text-task.ts'

export { type CustomTaskOptions, customTask, scoreNames } from './custom.ts'
export type { TextExample, TextTask } from './text-task.ts'

const tasks: ReadonlyMap<string, TextTask> = new Map(
  [...glueTasks, ...superGlueTasks, ...generationTasks].map((task) => [task.name, task]),
)

/** Names of the tasks that `textTask` knows. */
export const textTaskNames: readonly string[] = [...tasks.keys()]

/**
 * A task of T5's training by its name.
 *
 * @throws {ConfigError} for a name that it does not have.
 */
export function textTask(name: string): TextTask {
  const task = tasks.get(name)
  if (task) return task
  throw new ConfigError(`task: expected ${textTaskNames.join(', ')}, got ${describe(name)}`)
}
