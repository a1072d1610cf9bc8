// Safetensors files for tests: well-formed ones from tensors, and any bytes at all from a header's text.

export interface Entry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

export function float32Entry(shape: readonly number[], values: ArrayLike<number>): Entry {
  return { dtype: 'F32', shape, bytes: bytesOf(Float32Array.from(values)) }
}

/** Length, header, data; the header as text or bytes, well-formed or not. */
export function frame(header: string | Uint8Array, data = new Uint8Array(), length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const file = new Uint8Array(8 + text.length + data.length)
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true)
  file.set(text, 8)
  file.set(data, 8 + text.length)
  return file
}

export function encode(entries: Record<string, Entry>, metadata?: Record<string, string>): Uint8Array {
  let at = 0
  const parts: Uint8Array[] = []
  const header: [string, unknown][] = metadata ? [['__metadata__', metadata]] : []
  for (const [name, { dtype, shape, bytes }] of Object.entries(entries)) {
    header.push([name, { dtype, shape, data_offsets: [at, at + bytes.length] }])
    parts.push(bytes)
    at += bytes.length
  }
  const data = new Uint8Array(at)
  let offset = 0
  for (const part of parts) {
    data.set(part, offset)
    offset += part.length
  }
  return frame(JSON.stringify(Object.fromEntries(header)), data)
}
