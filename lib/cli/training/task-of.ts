import { type CustomTaskOptions, customTask, type TextTask, textTask, textTaskNames } from '../../tasks/index.ts'
import { UsageError } from '../arguments.ts'
import { nearest } from '../nearest.ts'
import { type HeadTask, headTasks } from './heads.ts'

/** Of a task that a config file describes. */
const keys = ['name', 'input', 'target', 'score', 'maxTargetLength']

/**
 * A task by its name, or one in words as a config file describes it.
 *
 * @throws {UsageError} for a name that no task has, and a description with an unknown key, with the nearest one.
 */
export function taskOf(given: string | Readonly<Record<string, unknown>>): HeadTask | TextTask {
  if (typeof given === 'object') return described(given)
  if ((headTasks as readonly string[]).includes(given)) return given as HeadTask
  if (given === 'text-to-text') return customTask({ name: given, input: '{input}', target: '{target}' })
  if (textTaskNames.includes(given)) return textTask(given)
  throw unknown('--task', given, [...headTasks, 'text-to-text', ...textTaskNames])
}

function described(task: Readonly<Record<string, unknown>>): TextTask {
  for (const key of Object.keys(task)) if (!keys.includes(key)) throw unknown('a key of task', key, keys)
  for (const key of ['input', 'target']) {
    if (typeof task[key] !== 'string') {
      throw new UsageError(`expected task to have ${key}, a text with a {column}, got ${JSON.stringify(task[key])}`)
    }
  }
  return customTask(task as unknown as CustomTaskOptions)
}

function unknown(what: string, given: string, names: readonly string[]): UsageError {
  const meant = nearest(given, names)
  const hint = meant ? `; did you mean ${meant}?` : ''
  return new UsageError(`expected ${what} to be known, got ${given}${hint}\nKnown: ${names.join(' ')}`)
}
