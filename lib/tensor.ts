import { type DType, dtypeIndex, dtypes, isFloat, type TypedArray } from './dtype.ts'
import { ConfigError, DTypeError, describe, ShapeError, StateError } from './errors.ts'
import { type DeviceName, deviceName, deviceNumber, openDevice } from './native/devices.ts'
import { addon, buffer, rememberSite } from './native/load.ts'
import { bindOps } from './native/schema.generated.ts'
import { type ScopedNode, trackTensor } from './scope.ts'

export interface TensorOptions {
  /** Dimensions; for `Tensor.from` of a flat array, default `[data.length]`. */
  shape?: readonly number[]
  /** @default 'float32' for numbers and Float32Array; int32, uint8, int8 for the other typed arrays and bigint64 data. */
  dtype?: DType
  /** Gradients of a loss reach this tensor. Floats only. @default false */
  requiresGrad?: boolean
  /** Where it lies. @default the default device, which is the CPU unless `setDefaultDevice` was called */
  device?: DeviceName
}

/** @internal The tape record that made a tensor. */
export interface TapeNode extends ScopedNode {
  backward(output: number, gradient: Tensor | null, tensor: Tensor): void
}

/** Contents shared by the tensors that view them. */
interface Contents {
  /** In-place updates so far. */
  version: number
  /** Tensors that are not disposed; one that was collected still counts, so 1 means 1. */
  owners: number
  /** Number of the device that they lie on. */
  readonly device: number
}

/** @internal Contents that no tensor views yet. */
export function newContents(device: number): Contents {
  return { version: 0, owners: 0, device }
}

type Nested = number | readonly Nested[]
type TensorData = TypedArray | Float64Array | BigInt64Array | Nested

// A tensor that nobody holds any more gives its memory back when the collector finds it; `dispose` and `scope` do so at
// once. What a scope holds is not registered: it cannot be collected, and registering costs as much as a small op.
const collected = new FinalizationRegistry<number>((handle) => addon.dispose(handle))

/**
 * A dense array of numbers on a device, up to 8 dimensions. Ops on it are queued: only `data()` and `item()` wait.
 * Its memory returns with `dispose()` (or `using`), at the end of a `scope`, or with the garbage collector.
 */
export class Tensor {
  /** Sum of the gradients that reached this leaf, float32; null before the first. */
  grad: Tensor | null = null
  /** @internal */ node: TapeNode | null = null
  /** @internal Which output of its node. */ outputIndex = 0
  /** @internal Makes the same contents again, from what the op that made them keeps for backward anyway. */
  origin: (() => Tensor) | null = null
  #disposed = false
  #collectable = false
  #strides: readonly number[] | null

  /** @internal */
  constructor(
    /** @internal */ readonly handle: number,
    readonly dtype: DType,
    readonly shape: readonly number[],
    /** @internal */ readonly contents: Contents,
    private isLeaf = false,
    strides: readonly number[] | null = null,
    /** @internal In elements. */ readonly offset = 0,
  ) {
    this.#strides = strides
    contents.owners++
    trackTensor(this)
  }

  /**
   * Makes a tensor from nested arrays or a flat typed array; the data is copied. int64 data becomes int32.
   *
   * @throws {ShapeError} if the number of values and the shape differ, or nested arrays are ragged.
   * @throws {DTypeError} if a value does not fit the dtype.
   */
  static from(data: TensorData, options: TensorOptions = {}): Tensor {
    return make(data, options, false)
  }

  /** @internal As `from`, for int32 data of which shape rules read the host copy (sequence offsets). */
  static fromWithHostCopy(data: Int32Array, options: Pick<TensorOptions, 'device'> = {}): Tensor {
    return make(data, options, true)
  }

  /** A tensor with undefined contents. */
  static empty(shape: readonly number[], options: Omit<TensorOptions, 'shape'> = {}): Tensor {
    const dtype = options.dtype ?? 'float32'
    checkShape(shape)
    const on = deviceNumber(options.device)
    const handle = addon.upload(dtypeIndex(dtype), shape, null, false, on)
    return new Tensor(handle, dtype, [...shape], newContents(on), checkGrad(dtype, options.requiresGrad))
  }

  static full(shape: readonly number[], value: number, options: Omit<TensorOptions, 'shape'> = {}): Tensor {
    const tensor = Tensor.empty(shape, options)
    native.fill(tensor, { value })
    return tensor
  }

  static zeros(shape: readonly number[], options: Omit<TensorOptions, 'shape'> = {}): Tensor {
    return Tensor.full(shape, 0, options)
  }

  static ones(shape: readonly number[], options: Omit<TensorOptions, 'shape'> = {}): Tensor {
    return Tensor.full(shape, 1, options)
  }

  /** @internal In elements. */
  get strides(): readonly number[] {
    this.#strides ??= denseStrides(this.shape)
    return this.#strides
  }

  /** Where it lies. */
  get device(): DeviceName {
    return deviceName(this.contents.device)
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape)
  }

  /** Whether gradients flow to this leaf, or through this result. */
  get requiresGrad(): boolean {
    return this.isLeaf || this.node !== null
  }

  /** Freezes a leaf, or thaws it. @throws {StateError} for the result of an op. */
  set requiresGrad(wanted: boolean) {
    if (this.node) throw new StateError(`requiresGrad: expected a leaf, got the result of an op: ${this}`)
    this.isLeaf = checkGrad(this.dtype, wanted)
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /**
   * Waits for the queue and copies the elements out, row-major.
   *
   * @throws the earliest error of a queued op since the last wait, once.
   */
  data(): Promise<TypedArray> {
    return addon.read(this.handle)
  }

  /** The value of a one-element tensor; waits like `data()`. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: expected one element, got ${shapeText(this.shape)}`)
    return (await this.data())[0] as number
  }

  /**
   * Runs the tape backwards from this tensor: every leaf with `requiresGrad` that it depends on has the gradient added to
   * its `grad`. The tape is used up.
   *
   * @param gradient of the same shape; may be left out for a one-element tensor, where it is 1.
   * @throws {StateError} without a tape, or when it was used before.
   */
  backward(gradient: Tensor | null = null): void {
    if (!this.node)
      throw new StateError('backward: expected a tensor computed from one with requiresGrad, got one without a tape')
    if (!gradient && this.size !== 1) {
      throw new ShapeError(`backward: expected a gradient for ${shapeText(this.shape)}, got none`)
    }
    if (gradient && shapeText(gradient.shape) !== shapeText(this.shape)) {
      throw new ShapeError(`backward: expected a gradient ${shapeText(this.shape)}, got ${shapeText(gradient.shape)}`)
    }
    this.node.backward(this.outputIndex, gradient, this)
  }

  /**
   * The same numbers on another device, without a tape; on its own device, as `detach`.
   *
   * @throws {DeviceError} when that device cannot be used.
   */
  to(device: DeviceName): Tensor {
    const on = openDevice(device)
    if (on === this.contents.device) return this.detach()
    const dense = this.strides.every((stride, i) => stride === denseStrides(this.shape)[i])
    const source = dense ? this : native.cast(this, { dtype: this.dtype })
    try {
      return new Tensor(addon.transfer(source.handle, on), this.dtype, [...this.shape], newContents(on))
    } finally {
      if (source !== this) source.dispose()
    }
  }

  /** The same contents without a tape. */
  detach(): Tensor {
    return this.view(this.shape, this.strides, this.offset)
  }

  /** @internal Another window on the same contents, without a tape: a leaf when it is to have a gradient. */
  view(shape: readonly number[], strides: readonly number[], offset: number, requiresGrad = false): Tensor {
    const rank = shape.length
    for (let i = 0; i < rank; i++) {
      buffer[i] = shape[i] as number
      buffer[rank + i] = strides[i] as number
    }
    buffer[2 * rank] = offset
    const handle = addon.view(this.handle, rank)
    return new Tensor(handle, this.dtype, [...shape], this.contents, requiresGrad, [...strides], offset)
  }

  /** Gives this handle's claim on the memory back, now; queued ops still finish. Doing it twice does nothing. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.contents.owners--
    if (this.#collectable) collected.unregister(this)
    addon.dispose(this.handle)
  }

  /** @internal */
  leaveScopes(): void {
    this.#collectable = true
    collected.register(this, this.handle, this)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return `Tensor(${this.dtype} ${shapeText(this.shape)})`
  }
}

function make(data: TensorData, options: TensorOptions, host: boolean): Tensor {
  const inferred = typeof data === 'number' || Array.isArray(data) ? nestedShape(data) : [(data as TypedArray).length]
  const shape = options.shape ?? inferred
  checkShape(shape)
  const flat =
    typeof data === 'number' ? [data] : Array.isArray(data) ? (data.flat(Infinity) as number[]) : (data as TypedArray)
  if (sizeOf(shape) !== flat.length) {
    throw new ShapeError(`Tensor.from: expected ${sizeOf(shape)} values for ${shapeText(shape)}, got ${flat.length}`)
  }
  const dtype = options.dtype ?? defaultDtype(flat)
  const on = deviceNumber(options.device)
  const handle = addon.upload(dtypeIndex(dtype), shape, bytesOf(flat, dtype), host, on)
  return new Tensor(handle, dtype, [...shape], newContents(on), checkGrad(dtype, options.requiresGrad))
}

function nestedShape(data: Nested): number[] {
  if (typeof data === 'number') return []
  if (!Array.isArray(data)) throw new DTypeError(`Tensor.from: expected numbers, got ${describe(data)}`)
  const inner = data.map(nestedShape)
  const first = inner[0] ?? []
  if (inner.some((shape) => shapeText(shape) !== shapeText(first))) {
    throw new ShapeError('Tensor.from: expected nested arrays of equal lengths, got ragged ones')
  }
  return [data.length, ...first]
}

function defaultDtype(data: ArrayLike<number | bigint>): DType {
  if (data instanceof Int32Array || data instanceof BigInt64Array) return 'int32'
  if (data instanceof Uint8Array) return 'uint8'
  if (data instanceof Int8Array) return 'int8'
  return 'float32'
}

function bytesOf(data: ArrayLike<number | bigint>, dtype: DType): Uint8Array {
  const array =
    dtype === 'float32'
      ? data instanceof Float32Array
        ? data
        : Float32Array.from(data as ArrayLike<number>)
      : dtype === 'float16' || dtype === 'bfloat16'
        ? Uint16Array.from(data as ArrayLike<number>, dtype === 'float16' ? float16Bits : bfloat16Bits)
        : integers(data, dtype)
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

const integerArrays = {
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
} as const

function integers(data: ArrayLike<number | bigint>, dtype: DType): Int32Array | Uint8Array | Int8Array {
  const Ctor = integerArrays[dtype as keyof typeof integerArrays]
  if (data instanceof Ctor) return data
  const result = new Ctor(data.length)
  for (let i = 0; i < result.length; i++) {
    result[i] = Number(data[i])
    if (Number(data[i]) !== result[i])
      throw new DTypeError(`Tensor.from: expected ${dtype} values, got ${String(data[i])} at ${i}`)
  }
  return result
}

const word = new Float32Array(1)
const bits = new Uint32Array(word.buffer)

function bfloat16Bits(value: number): number {
  word[0] = value
  const u = bits[0] as number
  if (Number.isNaN(value)) return (u >>> 16) | 0x40
  return (u + 0x7fff + ((u >>> 16) & 1)) >>> 16
}

function float16Bits(value: number): number {
  word[0] = value
  const u = bits[0] as number
  const sign = (u >>> 16) & 0x8000
  const magnitude = Math.abs(word[0] as number)
  if (Number.isNaN(magnitude)) return sign | 0x7e00
  if (magnitude >= 65520) return sign | 0x7c00
  // Subnormals are multiples of 2^-24; normals keep ten bits of mantissa. Both round half to even.
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14)
  const scaled = magnitude * 2 ** (10 - exponent)
  const floor = Math.floor(scaled)
  const rest = scaled - floor
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
  return sign | (rounded < 1024 ? rounded : ((exponent + 14) << 10) + rounded)
}

function checkShape(shape: readonly number[]): void {
  if (!Array.isArray(shape) || shape.length > 8 || shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw new ShapeError(
      `Tensor: expected at most 8 dimensions >= 0, got ${Array.isArray(shape) ? shapeText(shape) : describe(shape)}`,
    )
  }
}

function checkGrad(dtype: DType, requiresGrad = false): boolean {
  if (requiresGrad && !isFloat(dtype))
    throw new DTypeError(`Tensor: expected a float dtype with requiresGrad, got ${dtype}`)
  return requiresGrad
}

/** @internal */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** @internal */
export function shapeText(shape: readonly number[]): string {
  return `(${shape.join(', ')})`
}

/** @internal Row-major strides. */
export function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride
    stride *= Math.max(shape[i] as number, 1)
  }
  return strides
}

// ---------------------------------------------------------------- the native ops, bound to tensors

function tensor(op: string, name: string, value: unknown, at: number): void {
  if (!(value instanceof Tensor)) throw new DTypeError(`${op}: expected ${name} to be a Tensor, got ${describe(value)}`)
  buffer[at] = value.handle
}

function optional(op: string, name: string, value: unknown, at: number): void {
  if (value === null || value === undefined) buffer[at] = 0
  else tensor(op, name, value, at)
}

function list(op: string, name: string, values: readonly unknown[], at: number): number {
  if (!Array.isArray(values)) {
    throw new DTypeError(`${op}: expected ${name} to be an array of tensors, got ${describe(values)}`)
  }
  if (at + values.length + 64 > buffer.length) {
    throw new ShapeError(`${op}: expected fewer than ${buffer.length} tensors, got ${values.length}`)
  }
  buffer[at++] = values.length
  for (const value of values) tensor(op, name, value, at++)
  return at
}

function number(op: string, name: string, value: unknown, at: number, fallback: number | null): void {
  if (typeof value === 'number') buffer[at] = value
  else if (value === undefined && fallback !== null) buffer[at] = fallback
  else throw attributeError(op, name, 'a number', value)
}

function flag(op: string, name: string, value: unknown, at: number, fallback: number | null): void {
  if (typeof value === 'boolean') buffer[at] = Number(value)
  else if (value === undefined && fallback !== null) buffer[at] = fallback
  else throw attributeError(op, name, 'a boolean', value)
}

function choice(
  op: string,
  name: string,
  value: unknown,
  at: number,
  fallback: number | null,
  choices: readonly string[],
): void {
  const index = value === undefined && fallback !== null ? fallback : choices.indexOf(value as string)
  if (index < 0) throw attributeError(op, name, choices.join(' or '), value)
  buffer[at] = index
}

function attributeError(op: string, name: string, expected: string, value: unknown): ConfigError {
  return new ConfigError(`${op}: expected ${name} to be ${expected}, got ${describe(value)}`)
}

// Of the call that just returned.
let outputAt = 0
let outputDevice = 0

function enqueue(index: number): void {
  addon.enqueue(index)
  rememberSite(buffer[0] as number)
  outputDevice = buffer[1] as number
  outputAt = 2
}

/** The next output of the call that just returned. */
function output(): Tensor | null {
  const handle = buffer[outputAt++] as number
  const dtype = dtypes[buffer[outputAt++] as number] as DType
  const rank = buffer[outputAt++] as number
  const shape = new Array<number>(rank)
  for (let i = 0; i < rank; i++) shape[i] = buffer[outputAt++] as number
  return handle === 0 ? null : new Tensor(handle, dtype, shape, newContents(outputDevice))
}

function updated(tensors: Tensor | readonly Tensor[] | null): void {
  if (tensors instanceof Tensor) tensors.contents.version++
  else if (tensors) for (const each of tensors) each.contents.version++
}

/** @internal Every op of the registry, without a tape: inputs in order, then an object of attributes. */
export const native = bindOps<Tensor>({ tensor, optional, list, number, flag, choice, enqueue, output, updated })
