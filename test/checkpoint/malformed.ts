// A corpus of files that are not safetensors, each for a reason of its own. Every one must be refused as a whole.
import { encode, float32Entry, frame } from './writer.ts'

const data = new Uint8Array(24)

function entry(fields: Record<string, unknown>): string {
  return JSON.stringify({ dtype: 'F32', shape: [2, 3], data_offsets: [0, 24], ...fields })
}

function one(fields: Record<string, unknown>, bytes = data): Uint8Array {
  return frame(`{"a":${entry(fields)}}`, bytes)
}

function raw(header: string, bytes = data): Uint8Array {
  return frame(header, bytes)
}

/** Headers that are not JSON, or not an object of tensors. */
const badHeaders: Record<string, string> = {
  'an empty header': '',
  'a header of spaces': '   ',
  'a header that begins with a space': ` {"a":${entry({})}}`,
  'an array': '[]',
  'a number': '12',
  'an unclosed object': `{"a":${entry({})}`,
  'text after the object': `{"a":${entry({})}}x`,
  'a second object': `{"a":${entry({})}}{}`,
  'a trailing comma': `{"a":${entry({})},}`,
  'no comma': `{"a":${entry({})} "b":${entry({})}}`,
  'no colon': `{"a" ${entry({})}}`,
  'a key that is a number': `{1:${entry({})}}`,
  'a key without quotes': `{a:${entry({})}}`,
  'a comment': `{/**/"a":${entry({})}}`,
  'a tensor that is null': '{"a":null}',
  'a tensor that is an array': '{"a":[]}',
  'a tensor that is a string': '{"a":"F32"}',
  'an empty tensor object': '{"a":{}}',
  'a duplicate tensor': `{"a":${entry({})},"a":${entry({})}}`,
  'a duplicate tensor, once escaped': `{"a":${entry({})},"\\u0061":${entry({})}}`,
  'two dtypes': '{"a":{"dtype":"F32","dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}',
  'two shapes': '{"a":{"dtype":"F32","shape":[2,3],"shape":[2,3],"data_offsets":[0,24]}}',
  'two empty shapes': '{"a":{"dtype":"F32","shape":[],"shape":[2,3],"data_offsets":[0,24]}}',
  'two data_offsets': '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24],"data_offsets":[0,24]}}',
  'a leading zero': '{"a":{"dtype":"F32","shape":[02,3],"data_offsets":[0,24]}}',
  'a plus sign': '{"a":{"dtype":"F32","shape":[+2,3],"data_offsets":[0,24]}}',
  'an offset of NaN': '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[NaN,24]}}',
  'an offset of Infinity': '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,Infinity]}}',
  'an exponent': '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,2.4e1]}}',
  'a size above 2^64': '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,18446744073709551640]}}',
  'a raw control character': '{"a\u0001":{}}',
  'an unknown escape': `{"\\x61":${entry({})}}`,
  'a cut escape': '{"\\u00',
  'an escape without digits': `{"\\u00g1":${entry({})}}`,
  'a lone high surrogate': `{"\\ud800":${entry({})}}`,
  'a lone low surrogate': `{"\\udc00":${entry({})}}`,
  'a high surrogate twice': `{"\\ud800\\ud800":${entry({})}}`,
  'an unclosed string': '{"a',
  'metadata that is a list': `{"__metadata__":[],"a":${entry({})}}`,
  'metadata with a number': `{"__metadata__":{"x":1},"a":${entry({})}}`,
  'metadata with null': `{"__metadata__":{"x":null},"a":${entry({})}}`,
  'metadata with an object': `{"__metadata__":{"x":{}},"a":${entry({})}}`,
  'metadata with a key twice': `{"__metadata__":{"x":"1","x":"2"},"a":${entry({})}}`,
  'metadata twice': `{"__metadata__":{},"__metadata__":{},"a":${entry({})}}`,
  'a deep value': `{"a":{"more":${'['.repeat(200)}${']'.repeat(200)}}}`,
  'a deeper value': `{"a":{"more":${'['.repeat(200_000)}`,
  'a bad literal': `{"a":${entry({}).slice(0, -1)},"more":tru}}`,
  'a bad number': `{"a":${entry({}).slice(0, -1)},"more":-}}`,
  'a bad fraction': `{"a":${entry({}).slice(0, -1)},"more":1.}}`,
  'a bad exponent': `{"a":${entry({}).slice(0, -1)},"more":1e}}`,
  'a number with a leading zero in what is skipped': `{"a":${entry({}).slice(0, -1)},"more":01}}`,
}

/** One field of an otherwise good tensor. */
const badFields: Record<string, Record<string, unknown>> = {
  'no dtype': { dtype: undefined },
  'no shape': { shape: undefined },
  'no data_offsets': { data_offsets: undefined },
  'an unknown dtype': { dtype: 'F31' },
  'a dtype in small letters': { dtype: 'f32' },
  'an empty dtype': { dtype: '' },
  'a long dtype': { dtype: 'F'.repeat(10_000) },
  'a dtype that is a number': { dtype: 32 },
  'a dtype that is null': { dtype: null },
  'a dtype of another size': { dtype: 'F64' },
  'a smaller dtype': { dtype: 'F16' },
  'a negative dimension': { shape: [-2, 3] },
  'a fractional dimension': { shape: [2.5, 3] },
  'a dimension that is a string': { shape: ['2', 3] },
  'a dimension that is null': { shape: [null, 3] },
  'a shape that is a number': { shape: 6 },
  'a shape that is null': { shape: null },
  'a nested shape': { shape: [[2, 3]] },
  'a shape that is too large': { shape: [2, 4] },
  'a shape that is too small': { shape: [2, 2] },
  'a scalar': { shape: [] },
  'an empty shape': { shape: [0] },
  'nine dimensions': { shape: [1, 1, 1, 1, 1, 1, 1, 2, 3] },
  'a huge dimension': { shape: [2 ** 53] },
  'a product above 2^63': { shape: [2 ** 31, 2 ** 31, 2 ** 31] },
  'a product that is 6 modulo 2^64': { shape: [2 ** 32, 2 ** 32, 6] },
  'bytes that are 24 modulo 2^64': { shape: [2 ** 31, 2 ** 31] },
  'bytes just above 2^63': { shape: [2 ** 50, 2 ** 11] },
  'offsets in reverse': { data_offsets: [24, 0] },
  'one offset': { data_offsets: [24] },
  'no offsets': { data_offsets: [] },
  'three offsets': { data_offsets: [0, 24, 24] },
  'many offsets': { data_offsets: Array(1000).fill(0) },
  'offsets that are an object': { data_offsets: {} },
  'a negative offset': { data_offsets: [-24, 0] },
  'a fractional offset': { data_offsets: [0.5, 24.5] },
  'an offset that is a string': { data_offsets: ['0', '24'] },
  'an end that is too small': { data_offsets: [0, 23] },
  'an end beyond the file': { data_offsets: [0, 25] },
  'both offsets beyond the file': { data_offsets: [1000, 1024] },
  'offsets shifted by one': { data_offsets: [1, 25] },
  'a huge end': { data_offsets: [0, 2 ** 60] },
}

const tensor = (begin: number, end: number) =>
  `{"dtype":"U8","shape":[${Math.max(end - begin, 0)}],"data_offsets":[${begin},${end}]}`

/** Ranges of several tensors that do not tile 24 bytes. */
const badLayouts: Record<string, [number, number][]> = {
  'a gap at the start': [[1, 24]],
  'a gap in the middle': [
    [0, 8],
    [9, 24],
  ],
  'a gap at the end': [[0, 23]],
  'an overlap of one byte': [
    [0, 9],
    [8, 24],
  ],
  'two tensors of one range': [
    [0, 24],
    [0, 24],
  ],
  'one inside another': [
    [0, 24],
    [4, 8],
  ],
  'an empty one inside another': [
    [0, 24],
    [4, 4],
  ],
  'an empty one beyond the end': [
    [0, 24],
    [25, 25],
  ],
  'no tensor for the data': [],
}

/** Bytes that are not UTF-8, put into a name. */
const badUtf8: Record<string, number[]> = {
  'a lone continuation': [0x80],
  'a lone lead': [0xc3],
  'an overlong slash': [0xc0, 0xaf],
  'an overlong three': [0xe0, 0x80, 0xaf],
  'an overlong four': [0xf0, 0x80, 0x80, 0xaf],
  'an encoded surrogate': [0xed, 0xa0, 0x80],
  'above U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a five-byte lead': [0xf8, 0x88, 0x80, 0x80, 0x80],
  'a byte that never occurs': [0xff],
  'a cut three': [0xe2, 0x82],
  'a cut four': [0xf0, 0x9f, 0x98],
}

export const valid = encode(
  {
    'first.weight': float32Entry([2, 3], [1, 2, 3, 4, 5, 6]),
    scalar: float32Entry([], [7]),
    empty: float32Entry([0, 5], []),
    ids: { dtype: 'U8', shape: [3], bytes: Uint8Array.of(1, 2, 3) },
    last: float32Entry([2], [8, 9]),
  },
  { format: 'pt' },
)

/** Where a third element is given, the error must name that tensor. */
export function* malformed(): Generator<[name: string, bytes: Uint8Array, tensor?: string]> {
  for (const [name, header] of Object.entries(badHeaders)) yield [name, raw(header)]
  for (const [name, fields] of Object.entries(badFields)) yield [name, one(fields), 'a']
  for (const [name, ranges] of Object.entries(badLayouts)) {
    yield [name, raw(`{${ranges.map(([begin, end], i) => `"t${i}":${tensor(begin, end)}`).join()}}`)]
  }
  for (const [name, bytes] of Object.entries(badUtf8)) {
    const header = new TextEncoder().encode(`{"@@@@@":${entry({})}}`)
    header.set(bytes, 2)
    yield [`${name} in a name`, frame(header, data)]
  }
  yield ['a header longer than the file', frame(`{"a":${entry({})}}`, data, 10_000n)]
  yield ['a header one byte longer than the file', frame('{}', undefined, 3n)]
  yield ['a header of 2^63 bytes', frame('{}', undefined, 2n ** 63n)]
  yield ['a header of 2^64 - 1 bytes', frame('{}', undefined, 2n ** 64n - 1n)]
  yield ['a header one byte too short', frame(`{"a":${entry({})}}`, data, BigInt(entry({}).length + 5))]
  yield ['bytes after the data', one({}, new Uint8Array(25))]
  yield ['a byte missing', one({}, new Uint8Array(23))]
  yield ['all zeros', new Uint8Array(1000)]
  yield ['all ones', new Uint8Array(1000).fill(255)]
  // Truncated at any place; a file without any byte included.
  for (let size = 0; size < valid.length; size++) yield [`a file cut to ${size} bytes`, valid.slice(0, size)]
}
