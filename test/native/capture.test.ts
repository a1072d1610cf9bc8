// Ops that are queued again as one: what replays compute is what the ops themselves do, whatever went wrong before.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { device, IndexError, noGrad, ops, ShapeError, StateError, scope, Tensor } from '../../lib/index.ts'
import { Capture } from '../../lib/ops/capture.ts'
import { randomOf } from '../harness.ts'

const random = randomOf(3)
const normal = (...shape: number[]) =>
  Tensor.from(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
    { shape },
  )
const ints = (...values: number[]) => Int32Array.from(values)

// Two tokens, looked up and attending to caches: reads ids on the device, and host copies of slots and lengths.
const table = normal(50, 16)
const keys = normal(3, 2, 400, 8)
const values = normal(3, 2, 400, 8)

interface Inputs {
  readonly ids: Tensor
  readonly rows: ops.CacheRows
}
const inputsOf = (ids: readonly number[], slots: readonly number[], lengths: readonly number[]): Inputs => ({
  ids: Tensor.from(ints(...ids)),
  rows: ops.cacheRows(slots, lengths),
})
function attended({ ids, rows }: Inputs): Tensor {
  const q = ops.reshape(ops.embedding(table, ids), [2, 2, 8])
  return ops.scale(ops.attentionDecode(q, keys, values, rows), 2)
}
function captured(): Capture<Tensor> {
  return noGrad(() =>
    scope(() => {
      const inputs = inputsOf([1, 2], [0, 1], [1, 2])
      return { capture: new Capture([inputs.ids, inputs.rows.slots, inputs.rows.lengths], () => attended(inputs)) }
    }),
  ).capture
}
async function direct([ids, slots, lengths]: readonly (readonly number[])[]) {
  using result = noGrad(() => scope(() => attended(inputsOf(ids!, slots!, lengths!))))
  return await result.data()
}

let before: { tensors: number; live: number }
const use = () => {
  const { tensors, live } = device().memory()
  return { tensors, live }
}
beforeEach(() => {
  before = use()
})
afterEach(() => expect(use()).toEqual(before))

const times = [
  [
    [3, 4],
    [0, 1],
    [5, 6],
  ],
  [
    [49, 0],
    [2, 2],
    [400, 399],
  ],
  [
    [7, 7],
    [1, 0],
    [1, 0],
  ],
] as const

describe('a capture', () => {
  test('computes what the ops do, with room for more keys than at first', async () => {
    using capture = captured()
    expect(await capture.result.data()).toEqual(
      await direct([
        [1, 2],
        [0, 1],
        [1, 2],
      ]),
    )
    for (const time of times) expect(await capture.replay(time).data()).toEqual(await direct(time))
  })

  test('is read in the order in which things are queued', async () => {
    using capture = captured()
    const reads = times.map((time) => capture.replay(time).data())
    for (const [i, time] of times.entries()) expect(await reads[i]).toEqual(await direct(time))
  })

  test('takes what a tensor holds when its turn comes', async () => {
    using capture = captured()
    using ids = Tensor.from(ints(8, 9))
    expect(await capture.replay([ids, [0, 1], [5, 6]]).data()).toEqual(
      await direct([
        [8, 9],
        [0, 1],
        [5, 6],
      ]),
    )
    using narrow = scope(() =>
      ops.slice(
        Tensor.from(
          [
            [1, 2],
            [3, 4],
          ],
          { dtype: 'int32' },
        ),
        1,
        0,
        1,
      ),
    )
    expect(() => capture.replay([narrow, [0, 1], [5, 6]])).toThrow(ShapeError)
    using slots = Tensor.from(ints(0, 1))
    expect(() => capture.replay([[1, 2], slots, [5, 6]])).toThrow(
      'capture: expected a dense int32 tensor (2) of its device',
    )
  })

  test('counts as its ops do', () => {
    using capture = captured()
    for (const time of times) {
      device().resetCounters()
      capture.replay(time)
      const replayed = device().counters()
      device().resetCounters()
      noGrad(() => scope(() => void attended(inputsOf(time[0], time[1], time[2]))))
      const once = device().counters()
      expect(Object.keys(replayed).sort()).toEqual(Object.keys(once).sort())
      for (const [op, { calls, flops, bytes }] of Object.entries(once)) {
        expect(replayed[op]).toMatchObject({ calls, flops, bytes })
      }
    }
  })
})

describe('after an error', () => {
  test('at the call, nothing was queued', async () => {
    using capture = captured()
    expect(() =>
      capture.replay([
        [1, 2],
        [0, 1],
        [5, 401],
      ]),
    ).toThrow(IndexError)
    expect(() =>
      capture.replay([
        [1, 2],
        [0, 3],
        [5, 6],
      ]),
    ).toThrow('attentionDecode: expected slots in [0, 3), got 3 at 1')
    expect(() => capture.replay([[1, 2], [0, 1], [5]])).toThrow('capture: expected 2 values for input 2, got 1')
    expect(() =>
      capture.replay([
        [1, 2],
        [0, 1],
      ]),
    ).toThrow('capture: expected 2 values for input 2, got undefined')
    expect(await capture.result.data()).toEqual(
      await direct([
        [1, 2],
        [0, 1],
        [1, 2],
      ]),
    )
    expect(await capture.replay(times[0]).data()).toEqual(await direct(times[0]))
  })

  test('on the way, it is thrown once, and the next time is as good as any', async () => {
    using capture = captured()
    await expect(
      capture
        .replay([
          [1, 50],
          [0, 1],
          [5, 6],
        ])
        .data(),
    ).rejects.toThrow('embedding: expected ids in [0, 50), got 50 at 1')
    expect(await capture.replay(times[0]).data()).toEqual(await direct(times[0]))
  })

  test('of a tensor that it takes', async () => {
    using capture = captured()
    using ids = noGrad(() =>
      scope(() =>
        ops.argmax(
          Tensor.from([
            [1, Number.NaN],
            [1, 2],
          ]),
        ),
      ),
    )
    await expect(capture.replay([ids, [0, 1], [5, 6]]).data()).rejects.toThrow('argmax')
    expect(await capture.replay(times[0]).data()).toEqual(await direct(times[0]))
  })

  test('in the ops themselves, calls are no longer recorded', async () => {
    const failing = () =>
      noGrad(() => scope(() => new Capture([Tensor.from(ints(1))], () => ops.embedding(table, Tensor.from([1])))))
    expect(failing).toThrow()
    expect(failing).toThrow('embedding')
    using capture = captured()
    expect(await capture.replay(times[0]).data()).toEqual(await direct(times[0]))
  })
})

describe('refuses', () => {
  test('a tape', () => {
    expect(() => scope(() => new Capture([Tensor.from(ints(1))], () => Tensor.zeros([1])))).toThrow(
      'capture: expected no tape (use noGrad), got one',
    )
  })

  test('another inside', () => {
    const nested = () => noGrad(() => scope(() => new Capture([Tensor.from(ints(1))], () => captured().result)))
    expect(nested).toThrow(StateError)
    expect(nested).toThrow('capture: expected no capture inside another, got one')
  })

  test('floats for inputs', () => {
    const floats = () => noGrad(() => scope(() => new Capture([Tensor.from([1])], () => Tensor.zeros([1]))))
    expect(floats).toThrow('capture: expected inputs that are dense int32 tensors, got others')
  })

  test('a replay once it is disposed', () => {
    const capture = captured()
    capture[Symbol.dispose]()
    capture[Symbol.dispose]()
    expect(() => capture.replay(times[0])).toThrow('capture: expected an open capture, got a disposed one')
  })
})
