/** Base of every error that the library throws; `code` is stable, messages read `op: expected …, got …`. */
export abstract class DuoformerError extends Error {
  abstract readonly code: string
  override get name(): string {
    return this.constructor.name
  }
}

/** Dimensions or ranks that do not fit together. */
export class ShapeError extends DuoformerError {
  readonly code = 'ERR_SHAPE'
}
/** An element type, or a value's JavaScript type, that an op does not take. */
export class DTypeError extends DuoformerError {
  readonly code = 'ERR_DTYPE'
}
/** An index or id outside its table. */
export class IndexError extends DuoformerError {
  readonly code = 'ERR_INDEX'
}
/** A call at the wrong time: a disposed tensor, a tape used twice, an op without a gradient. */
export class StateError extends DuoformerError {
  readonly code = 'ERR_STATE'
}
/** A device that is missing, lost or out of memory; also an addon that does not load. */
export class DeviceError extends DuoformerError {
  readonly code = 'ERR_DEVICE'
}
/** A checkpoint file that is not what it should be. */
export class CheckpointError extends DuoformerError {
  readonly code = 'ERR_CHECKPOINT'
}
/** An option outside its range. */
export class ConfigError extends DuoformerError {
  readonly code = 'ERR_CONFIG'
}
/** Input data that an algorithm cannot use, such as NaN logits to sample from. */
export class DataError extends DuoformerError {
  readonly code = 'ERR_DATA'
}

// In the order of ErrorCode in native/core/error.h.
const errorClasses = [
  ShapeError,
  DTypeError,
  IndexError,
  StateError,
  DeviceError,
  CheckpointError,
  ConfigError,
  DataError,
] as const

/** @internal The error of a native code. */
export function errorOfCode(code: number, message: string): DuoformerError {
  const ErrorClass = errorClasses[code] ?? StateError
  return new ErrorClass(message)
}

/** What a value is, for the `got …` of a message: `Float32Array(3)`, `string "x"`, `null`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'string') return `string ${JSON.stringify(value)}`
  if (typeof value !== 'object') return `${typeof value} ${String(value)}`
  const name = value.constructor?.name ?? 'object'
  return 'length' in value ? `${name}(${String(value.length)})` : name
}
