import { StateError } from './errors.ts'

/** @internal A tape record, as far as scopes care: what it keeps, and what it leads to. */
export interface ScopedNode {
  readonly sequence: number
  parents(): Iterable<ScopedNode>
  release(): void
}

/** @internal A tensor, as far as scopes care. */
export interface ScopedTensor {
  readonly node: ScopedNode | null
  dispose(): void
  /** Called when no scope will dispose of it any more: from here on the garbage collector must. */
  leaveScopes(): void
}

interface Frame {
  readonly tensors: Set<ScopedTensor>
  readonly nodes: ScopedNode[]
}

let current: Frame | null = null

/** @internal Hands a tensor to the current scope, if there is one. */
export function trackTensor(tensor: ScopedTensor): void {
  if (current) current.tensors.add(tensor)
  else tensor.leaveScopes()
}

/** @internal */
export function trackNode(node: ScopedNode): void {
  current?.nodes.push(node)
}

/** Takes a tensor out of the current scope, so that it outlives it. Parameters and optimiser state need this. */
export function keep<T extends Disposable>(tensor: T): T {
  const scoped = tensor as T & ScopedTensor
  if (current?.tensors.delete(scoped)) scoped.leaveScopes()
  return tensor
}

/**
 * Runs `fn` and disposes of every tensor made in it, but for those it returns (a tensor, or an array or plain object of
 * them), those given to `keep`, and gradients of tensors made outside. What the tape of a returned tensor needs stays.
 *
 * @throws {StateError} if `fn` returns a promise: what runs later would be outside the scope.
 */
export function scope<R>(fn: () => R): R {
  const outer = current
  const frame: Frame = { tensors: new Set(), nodes: [] }
  current = frame
  let result: R
  try {
    result = fn()
    refusePromise('scope', result)
  } catch (error) {
    current = outer
    close(frame, [])
    throw error
  }
  current = outer
  const kept = [...tensorsIn(result)]
  for (const tensor of kept) {
    // A returned tensor belongs to the scope around this one.
    if (frame.tensors.delete(tensor)) trackTensor(tensor)
  }
  close(frame, kept)
  return result
}

/** @internal Throws when a synchronous section was handed an asynchronous function. */
export function refusePromise(op: string, result: unknown): void {
  if (result instanceof Promise) {
    result.catch(() => {})
    throw new StateError(`${op}: expected a synchronous function, got one that returns a promise`)
  }
}

function* tensorsIn(value: unknown): Generator<ScopedTensor> {
  if (typeof value !== 'object' || value === null) return
  if ('dispose' in value && 'node' in value) yield value as ScopedTensor
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item)
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) yield* tensorsIn(item)
}

function close(frame: Frame, kept: readonly ScopedTensor[]): void {
  for (const tensor of frame.tensors) tensor.dispose()
  const first = frame.nodes[0]
  if (!first) return
  const reachable = new Set<ScopedNode>()
  const visit = kept.flatMap((tensor) => (tensor.node ? [tensor.node] : []))
  for (let node = visit.pop(); node; node = visit.pop()) {
    if (node.sequence < first.sequence || reachable.has(node)) continue
    reachable.add(node)
    visit.push(...node.parents())
  }
  for (const node of frame.nodes) {
    if (reachable.has(node)) trackNode(node)
    else node.release()
  }
}
