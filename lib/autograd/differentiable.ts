import { isFloat } from '../dtype.ts'
import { StateError } from '../errors.ts'
import { keep } from '../scope.ts'
import { Tensor } from '../tensor.ts'
import { gradEnabled } from './grad-mode.ts'
import { type Edge, edgeOf, TapeRecord, usedTape } from './tape.ts'

/** One of the tensors that a backward reads. */
interface SavedTensor {
  read(): Tensor
  /** What there is of it now, under a handle of its own. */
  readonly held: Tensor | null
}

/** What a forward hands to its backward. */
export class Context {
  /**
   * Saved tensors by name.
   *
   * @throws {StateError} when a tensor was updated in place since forward saved it.
   */
  readonly saved: Readonly<Record<string, Tensor>> = {}
  readonly remembered: Readonly<Record<string, unknown>> = {}
  readonly #saved = new Map<string, SavedTensor>()
  #released = false

  constructor(
    readonly op: string,
    /** Whether a backward may follow: nothing needs to be saved or prepared otherwise. */
    readonly recording: boolean,
    private readonly requiring: readonly boolean[],
    private readonly edges: readonly (readonly Edge[])[] = [],
  ) {}

  /** Whether the gradient of argument `index` is wanted. */
  needs(index: number): boolean {
    return this.requiring[index] ?? false
  }

  /**
   * In backward: the gradient that argument `index` has already, dense float32, if it is a leaf that has one. What can be added
   * to it in place need not be made: the backward then gives `added`.
   *
   * @param item of an argument that is an array.
   */
  sumOf(index: number, item = 0): Tensor | null {
    const edge = this.edges[index]?.[item]
    return edge && 'leaf' in edge ? edge.leaf.grad : null
  }

  /**
   * Keeps tensors for backward, under handles of its own: disposing of the originals does no harm. One with an origin is not
   * kept: reading it from `saved` computes it again, from what the op that made it keeps. That one comes later in backward
   * than all that read its result.
   */
  save(tensors: Record<string, Tensor | null>): void {
    if (!this.recording) return
    for (const [name, tensor] of Object.entries(tensors)) {
      if (tensor) this.#add(name, tensor.origin ? computed(tensor.origin) : this.#kept(name, tensor))
    }
  }

  /** Instead of keeping a tensor: how it is computed when backward first asks for it. From then on it is kept. */
  saveComputed(name: string, compute: () => Tensor): void {
    if (this.recording) this.#add(name, computedOnce(compute))
  }

  /** Gives the memory of a saved tensor back that backward has read for the last time. */
  drop(name: string): void {
    this.#saved.get(name)?.held?.dispose()
  }

  #add(name: string, saved: SavedTensor): void {
    this.#saved.set(name, saved)
    Object.defineProperty(this.saved, name, {
      get: () => {
        if (this.#released) throw usedTape(this.op)
        return saved.read()
      },
    })
  }

  #kept(name: string, tensor: Tensor): SavedTensor {
    const held = tensor.detach()
    const { version } = held.contents
    const read = () => {
      if (held.contents.version === version) return held
      throw new StateError(`${this.op}: expected ${name} as forward saw it, got one updated in place since`)
    }
    return { read, held }
  }

  /** Keeps plain values (shapes, attributes) for backward, which reads them from `remembered`. */
  remember(values: Record<string, unknown>): void {
    if (this.recording) Object.assign(this.remembered, values)
  }

  /** A tensor that forward may have saved as null. */
  savedOrNull(name: string): Tensor | null {
    return this.#saved.has(name) ? (this.saved[name] as Tensor) : null
  }

  /** @internal Takes what is saved out of all scopes: it lives until `release`. */
  keep(): void {
    for (const { held } of this.#saved.values()) if (held) keep(held)
  }

  /** @internal */
  release(): void {
    this.#released = true
    for (const name of this.#saved.keys()) this.drop(name)
  }
}

/** Made anew each time, in the scope of who reads it. */
function computed(compute: () => Tensor): SavedTensor {
  let held: Tensor | null = null
  return {
    read() {
      held = compute()
      return held
    },
    get held() {
      return held
    },
  }
}

function computedOnce(compute: () => Tensor): SavedTensor {
  let held: Tensor | null = null
  return {
    read() {
      held ??= keep(compute())
      return held
    },
    get held() {
      return held
    },
  }
}

/** In place of a gradient that backward has added to `sumOf`. */
export const added = Symbol('added')

type Output = Tensor | readonly (Tensor | null)[]
type OneGradient = Tensor | typeof added | null
type InputGradient = OneGradient | undefined | readonly OneGradient[]

/** One output's gradient is always there; of several, those that nothing depends on have none. */
type GradientsOf<R> = R extends Tensor ? [Tensor] : (Tensor | null)[]

export interface Definition<A extends readonly unknown[], R extends Output> {
  forward(ctx: Context, ...args: A): R
  /** One gradient for each argument (an array for an array of tensors); null or nothing where there is none. */
  backward(ctx: Context, ...gradients: GradientsOf<R>): readonly InputGradient[]
}

/** Makes a differentiable op: forward and backward side by side. Saves and records only when a gradient is wanted. */
export function differentiable<A extends readonly unknown[], R extends Output>(
  name: string,
  definition: Definition<A, R>,
): (...args: A) => R {
  const unrecorded = new Context(name, false, [])
  return (...args) => {
    if (!gradEnabled() || !args.some(requiresGrad)) return definition.forward(unrecorded, ...args)
    const edges = args.map(edgesOf)
    const ctx = new Context(name, true, args.map(requiresGrad), edges)
    const result = definition.forward(ctx, ...args)
    const node = new TapeRecord(
      name,
      edges.flat(),
      (gradients) => flatten(name, edges, definition.backward(ctx, ...(gradients as GradientsOf<R>))),
      ctx,
    )
    // A forward that hands an argument on unchanged must not turn that argument into its own result.
    const record = (tensor: Tensor, index: number) =>
      attach(args.includes(tensor) ? tensor.detach() : tensor, node, index)
    return (result instanceof Tensor ? record(result, 0) : result.map((t, i) => t && record(t, i))) as R
  }
}

/**
 * Declares an op that has no gradient.
 *
 * @throws {StateError} from the op, when the tape meets it: an input that requires a gradient, outside `noGrad`.
 */
export function nonDifferentiable<A extends readonly unknown[], R>(
  name: string,
  forward: (...args: A) => R,
): (...args: A) => R {
  return (...args) => {
    if (gradEnabled() && args.some(requiresGrad)) {
      throw new StateError(
        `${name}: expected inputs without gradient (use noGrad or detach), got one that requires it; the op has no backward`,
      )
    }
    return forward(...args)
  }
}

/** Whether an argument is a tensor that a gradient is wanted of, or an array with one. */
function requiresGrad(arg: unknown): boolean {
  return arg instanceof Tensor ? arg.requiresGrad : Array.isArray(arg) && arg.some(requiresGrad)
}

function edgesOf(arg: unknown): Edge[] {
  if (arg instanceof Tensor) return [edgeOf(arg)]
  return Array.isArray(arg) && arg[0] instanceof Tensor ? arg.map((item) => edgeOf(item as Tensor)) : []
}

/** @internal Makes `tensor` the output `index` of `node`; integers carry no gradient. */
export function attach(tensor: Tensor, node: TapeRecord, index: number): Tensor {
  if (!isFloat(tensor.dtype)) return tensor
  tensor.node = node
  tensor.outputIndex = index
  return tensor
}

function flatten(name: string, edges: readonly Edge[][], gradients: readonly InputGradient[]): (Tensor | null)[] {
  return edges.flatMap((edge, i) => {
    const gradient = gradients[i] ?? null
    const list = Array.isArray(gradient) ? (gradient as OneGradient[]) : edge.map(() => gradient as OneGradient)
    edge.forEach((e, j) => {
      if (e && !list[j])
        throw new StateError(`${name}: expected a gradient for argument ${i}, got none from its backward`)
    })
    return list.map((g) => (g === added ? null : g))
  })
}
