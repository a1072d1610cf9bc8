// Who may import whom, downward only (DESIGN.md, section 2), as functions of one file's path and text.

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/(^|[^:'"`])\/\/.*$/gm, '$1')
}

function matches(source: string, pattern: RegExp): string[] {
  return [...source.matchAll(pattern)].map((match) => match[1] as string)
}

// ---------------------------------------------------------------- native

type NativeFolder = 'core' | 'ops' | 'cpu' | 'cuda' | 'napi'

const backends: readonly string[] = ['cpu', 'cuda']

/** What a file of each folder may include of the others, beside what lies in its own. */
const nativeRules: Readonly<Record<NativeFolder, (target: string, path: string) => boolean>> = {
  core: () => false,
  // Of a backend: its table of kernels; the type of a column, the part of that table that the registry needs; and plans,
  // headers that say how a kernel cuts its work, since workspace is sized by them. One file puts a device together.
  ops: (target, path) =>
    target.startsWith('core/') ||
    /^(cpu|cuda)\/(kernels|column)\.h$/.test(target) ||
    /^(cpu|cuda)\/(\w+\/)?(\w+_)?plan\.h$/.test(target) ||
    (path === 'native/ops/device.cpp' && /^(cpu|cuda)\/(backend|isa|thread_pool)\.h$/.test(target)),
  // Kernels see the headers that say what a call is and what its family shares, never devices and the list of families.
  cpu: (target) =>
    target.startsWith('core/') || (/^ops\/\w+\.h$/.test(target) && !/(device|families)\.h$/.test(target)),
  cuda: (target) => nativeRules.cpu(target, ''),
  napi: (target) => target.startsWith('ops/') || target.startsWith('core/'),
}

const systemCalls = /^(sys\/.*|unistd|fcntl|dlfcn|pthread|sched|signal|poll)\.h$/

export function nativeViolations(path: string, text: string): string[] {
  const source = withoutComments(text)
  const folder = path.split('/')[1] as NativeFolder
  const violations: string[] = []
  for (const target of matches(source, /^\s*#\s*include\s*"([^"]+)"/gm)) {
    const inside = target.startsWith(`${folder}/`)
    if (!inside && !nativeRules[folder]?.(target, path)) violations.push(`${path}: may not include "${target}"`)
  }
  for (const header of matches(source, /^\s*#\s*include\s*<([^>]+)>/gm)) {
    if (/^(napi|node_api|js_native_api)/.test(header) && folder !== 'napi') {
      violations.push(`${path}: may not include <${header}>: only native/napi knows Node`)
    }
    if (systemCalls.test(header) && !path.startsWith('native/core/os/')) {
      violations.push(`${path}: may not include <${header}>: system calls stay in native/core/os`)
    }
  }
  if (backends.includes(folder) && /\bnapi_|\bNapi::/.test(source)) violations.push(`${path}: may not know Node`)
  for (const call of matches(source, /(std::c(?:out|err)|\b(?:f?printf|puts|exit|abort)\s*\()/g)) {
    violations.push(`${path}: may not print or exit: ${call}`)
  }
  return violations
}

// ---------------------------------------------------------------- lib

/** Layers from the top; a file may import what lies below its own layer, and what lies in its own folder. */
const layers: readonly (readonly string[])[] = [
  ['cli'],
  ['finetune'],
  ['pipelines', 'train'],
  ['tasks'],
  ['data', 'optim'],
  ['models'],
  ['generate', 'checkpoint', 'nn'],
  ['ops'],
  ['autograd'],
  ['packing', 'device'],
  ['tensor'],
  ['scope'],
  ['native'],
  ['tokenizers'],
  ['metrics'],
  ['dtype', 'random'],
  ['errors'],
]

/** Who may call the addon; of lib/checkpoint, what reads, writes and locks files. */
const addonUsers = /^lib\/(native\/.*|tensor|device|ops\/.*|checkpoint\/(safetensors(-writer)?|files))\.ts$/

/** `lib/ops/gemm.ts` is of `ops`, `lib/tensor.ts` of `tensor`. */
function unitOf(path: string): string {
  return (path.split('/')[1] as string).replace(/\.ts$/, '')
}

function layerOf(unit: string): number {
  return layers.findIndex((layer) => layer.includes(unit))
}

function resolve(path: string, specifier: string): string {
  const parts = path.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

export function importsOf(text: string): string[] {
  return matches(withoutComments(text), /(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)
}

export function libViolations(path: string, text: string): string[] {
  const source = withoutComments(text)
  const unit = unitOf(path)
  const violations: string[] = []
  const targets = importsOf(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => resolve(path, specifier))
  if (unit === 'index') {
    if (/^(?!export\b|\s|\}|$)/m.test(source)) violations.push(`${path}: may hold exports only`)
    return violations
  }
  if (layerOf(unit) < 0) violations.push(`${path}: lies in no layer of the design`)
  for (const target of targets) {
    const to = unitOf(target)
    const fine = target.startsWith('lib/') && (to === unit || layerOf(to) > layerOf(unit))
    if (!fine) violations.push(`${path}: may not import ${target}`)
    if (target === 'lib/native/load.ts' && !addonUsers.test(path)) violations.push(`${path}: may not call the addon`)
  }
  if (unit === 'cli') return violations
  for (const use of matches(source, /\b(console\.\w+|process\.(?:argv|exit|exitCode|stdout|stderr)\b)/g)) {
    violations.push(`${path}: may not print, read argv or exit: ${use}`)
  }
  return violations
}
