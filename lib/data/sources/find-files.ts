import type { Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { DataError, DTypeError, describe } from '../../errors.ts'
import { reading } from './bytes.ts'

/**
 * The files that paths stand for: a file itself; of a folder all files below it; of a pattern those that match. A pattern
 * knows `*` and `?` (any characters of a name), `**` (any folders), `[…]` and `{…,…}`. Files of a folder and a
 * pattern are sorted by the code units of their paths; names that start with a dot are left out unless a pattern has the dot.
 *
 * @param isWanted which files of a folder count.
 * @returns each file once, in the order of the paths.
 * @throws {DataError} for a path that stands for no file.
 */
export async function findFiles(
  paths: string | readonly string[],
  isWanted: (file: string) => boolean = () => true,
): Promise<string[]> {
  const found = new Set<string>()
  const list = typeof paths === 'string' ? [paths] : paths
  if (list.length === 0) throw new DataError('data: expected files, got no path')
  for (const path of list) {
    if (typeof path !== 'string') throw new DTypeError(`data: expected paths, got ${describe(path)}`)
    const files = await filesOf(path, isWanted)
    if (files.length === 0) throw new DataError(`data: expected files at ${path}, got none`)
    for (const file of files) found.add(file)
  }
  return [...found]
}

async function filesOf(path: string, isWanted: (file: string) => boolean): Promise<string[]> {
  const status = await statusOf(path)
  if (status?.isDirectory()) return (await filesBelow(path)).filter(isWanted)
  if (status) return [path]
  if (!/[*?[{]/.test(path)) throw new DataError(`data: expected a file ${path}, got none of that name`)
  // The folders before the first special character are the same for all matches.
  const parts = normalize(path).split('/')
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => /[*?[{]/.test(part)),
  )
  const root = fixed.join('/') || (path.startsWith('/') ? '/' : '.')
  if (!(await statusOf(root))?.isDirectory()) return []
  const pattern = patternOf(parts.join('/'))
  const withDots = parts.some((part) => part.startsWith('.') && !/^\.\.?$/.test(part))
  return (await filesBelow(root, withDots)).filter((file) => pattern.test(file))
}

async function statusOf(path: string): Promise<Stats | null> {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw new DataError(`data: expected to read ${path}, got: ${error.message}`, { cause: error })
  })
}

/** Sorted; symbolic links count as what they point to. */
async function filesBelow(folder: string, withDots = false): Promise<string[]> {
  const files: string[] = []
  for (const entry of await reading(folder, () => readdir(folder, { withFileTypes: true }))) {
    if (entry.name.startsWith('.') && !withDots) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) files.push(...(await filesBelow(path, withDots)))
    else if (entry.isFile() || (await statusOf(path))?.isFile()) files.push(path)
  }
  return files.sort()
}

/** A pattern of paths as a regular expression. */
function patternOf(pattern: string): RegExp {
  let source = ''
  let braces = 0
  for (let i = 0; i < pattern.length; i++) {
    const rest = pattern.slice(i)
    const nameStart = i === 0 || pattern[i - 1] === '/'
    const set = /^\[([!^]?)([^\]/]+)\]/.exec(rest)
    if (rest.startsWith('**/') && nameStart) {
      source += '(?:[^./][^/]*/)*'
      i += 2
    } else if (rest.startsWith('**') && nameStart) {
      source += '.+'
      i++
    } else if (rest.startsWith('*')) source += nameStart ? '(?:[^./][^/]*)?' : '[^/]*'
    else if (rest.startsWith('?')) source += nameStart ? '[^./]' : '[^/]'
    else if (set) {
      source += `[${set[1] ? '^/' : ''}${(set[2] as string).replace(/[\\\]^[]/g, '\\$&')}]`
      i += set[0].length - 1
    } else if (rest.startsWith('{') && rest.includes('}')) {
      braces++
      source += '(?:'
    } else if (rest.startsWith(',') && braces > 0) source += '|'
    else if (rest.startsWith('}') && braces > 0) {
      braces--
      source += ')'
    } else source += rest[0]?.replace(/[\\^$.|+()[\]{}?*]/g, '\\$&')
  }
  return new RegExp(`^${source}$`, 'u')
}
