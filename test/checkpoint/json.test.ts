import { describe, expect, it } from 'vitest'
import { formatJson, type JsonObject, parseJson } from '../../lib/checkpoint/json.ts'
import { CheckpointError } from '../../lib/index.ts'

const roundTrip = (text: string) => {
  const { value } = parseJson(text, 'config.json')
  return formatJson(value, text)
}

describe('formatJson', () => {
  it('keeps the spelling of numbers that did not change', () => {
    const text = `{
  "layer_norm_epsilon": 1e-06,
  "initializer_factor": 1.0,
  "model_max_length": 1000000000000000019884624838656,
  "seed": 12345678901234567890,
  "negative": -0.0,
  "list": [
    1.50,
    {
      "deep": 1E2
    },
    "1e-06",
    null,
    true
  ],
  "empty": {},
  "none": [],
  "text": "a\\n\\"é\\u0000",
  "__proto__": {
    "x": 2.0
  }
}
`
    expect(roundTrip(text)).toBe(text)
  })

  it('writes what changed as JavaScript does, and leaves out what is undefined', () => {
    const text = '{"a": 1.0, "b": 2.0, "c": [1.0, 2.0], "d": 1e-06}'
    const { value } = parseJson(text, 'x')
    const changed = { ...value, a: 1.5, c: [2, 2], b: undefined, e: { d: 0.000001 } }
    expect(formatJson(changed, text)).toBe(
      '{\n  "a": 1.5,\n  "c": [\n    2,\n    2.0\n  ],\n  "d": 1e-06,\n  "e": {\n    "d": 0.000001\n  }\n}\n',
    )
    expect(formatJson({ a: { b: 1 } }, '{"a": [1.0]}')).toBe('{\n  "a": {\n    "b": 1\n  }\n}\n')
    expect(formatJson({ a: -0 })).toBe('{\n  "a": -0.0\n}\n')
  })

  it('refuses numbers that JSON does not have', () => {
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => formatJson({ x })).toThrow(CheckpointError)
    expect(() => formatJson({ x: (() => 1) as never })).toThrow(/expected what JSON can hold, got function/)
  })

  it('is not confused by what stands in strings', () => {
    const text = '{"a": "{[1.0]}", "\\"}": 3.0, "b\\\\": "\\\\", "c": 4.0}'
    expect(JSON.parse(roundTrip(text))).toEqual(JSON.parse(text))
    expect(roundTrip(text)).toContain('3.0')
    expect(roundTrip(text)).toContain('4.0')
  })
})

describe('parseJson', () => {
  it('names the file and the reason', () => {
    for (const text of ['', '{', '[]', '1', 'null', '"x"', '{"a": NaN}', '{"a": 1,}', "{'a': 1}"]) {
      expect(() => parseJson(text, 'dir/config.json'), text).toThrow(CheckpointError)
      expect(() => parseJson(text, 'dir/config.json'), text).toThrow(
        /^dir\/config\.json: expected (JSON|a JSON object), got/,
      )
    }
    const deep = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
    expect(() => parseJson(deep(100_000), 'x')).toThrow(CheckpointError)
    expect(() => parseJson(deep(200), 'x')).toThrow(/at most 200 levels/)
    const value: JsonObject = parseJson(deep(199), 'x').value
    expect(Object.keys(value)).toEqual(['a'])
  })
})
