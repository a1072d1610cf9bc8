// Ops that are queued again as one: what replays compute is what the ops themselves do, whatever went wrong before.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { device, IndexError, keep, noGrad, ops, ShapeError, StateError, scope, Tensor } from '../../lib/index.ts'
import { Capture, type Recorded } from '../../lib/ops/capture.ts'
import { memoryInUse, randomOf } from '../harness.ts'

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
function record(): Recorded {
  return noGrad(() =>
    scope(() => {
      const inputs = inputsOf([1, 2], [0, 1], [1, 2])
      return Capture.record([inputs.ids, inputs.rows.slots, inputs.rows.lengths], () => attended(inputs))
    }),
  )
}
function captured(): Capture {
  const { capture, result } = record()
  result.dispose()
  return capture
}
async function direct([ids, slots, lengths]: readonly (readonly number[])[]) {
  using result = noGrad(() => scope(() => attended(inputsOf(ids!, slots!, lengths!))))
  return await result.data()
}

async function replayed(capture: Capture, given: Parameters<Capture['replay']>[0]) {
  using result = capture.replay(given)
  return await result.data()
}

let before: ReturnType<typeof memoryInUse>
beforeEach(() => {
  before = memoryInUse()
})
afterEach(() => expect(memoryInUse()).toEqual(before))

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
    const { capture, result } = record()
    using _capture = capture
    using _result = result
    expect(await result.data()).toEqual(
      await direct([
        [1, 2],
        [0, 1],
        [1, 2],
      ]),
    )
    for (const time of times) expect(await replayed(capture, time)).toEqual(await direct(time))
  })

  test('is read in the order in which things are queued', async () => {
    using capture = captured()
    const reads = times.map((time) => replayed(capture, time))
    for (const [i, time] of times.entries()) expect(await reads[i]).toEqual(await direct(time))
  })

  test('takes what a tensor holds when its turn comes', async () => {
    using capture = captured()
    using ids = Tensor.from(ints(8, 9))
    expect(await replayed(capture, [ids, [0, 1], [5, 6]])).toEqual(
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
      capture.replay(time).dispose()
      const again = device().counters()
      device().resetCounters()
      noGrad(() => scope(() => void attended(inputsOf(time[0], time[1], time[2]))))
      const once = device().counters()
      expect(Object.keys(again).sort()).toEqual(Object.keys(once).sort())
      for (const [op, { calls, flops, bytes }] of Object.entries(once)) {
        expect(again[op]).toMatchObject({ calls, flops, bytes })
      }
    }
  })
})

// Takes floats, reads a constant that is uploaded while recording, and makes more than it keeps.
const steps = 6
function doubled() {
  return noGrad(() =>
    scope(() => {
      const input = Tensor.zeros([3])
      const { capture, result } = Capture.record([input], () => {
        const constant = Tensor.from([1, 10, 100])
        let sum = ops.mul(input, constant)
        constant.dispose()
        for (let i = 0; i < steps; i++) {
          using before = sum
          sum = ops.add(before, before)
        }
        return sum
      })
      result.dispose()
      return { capture }
    }),
  )
}

describe('memory', () => {
  test('is that of constants, and while a replay runs what its calls need at once', async () => {
    const cpu = device()
    using capture = doubled().capture
    expect(cpu.memory()).toMatchObject({ tensors: before.tensors, live: before.live + 64 })
    using x = Tensor.from([1, 2, 3])
    using y = Tensor.from([4, 5, 6])
    await cpu.synchronize()
    cpu.resetPeak()
    using first = capture.replay([x])
    // The result, and of the seven tensors that are made two at a time.
    expect(cpu.memory().peak - before.live).toBe((2 + 2 + 1 + 2) * 64)
    using second = capture.replay([y])
    const factor = 2 ** steps
    expect([...(await first.data())]).toEqual([1, 20, 300].map((n) => n * factor))
    expect([...(await second.data())]).toEqual([4, 50, 600].map((n) => n * factor))
  })

  test('of a tensor that outlives the recording is its own', async () => {
    let kept: Tensor | null = null
    const { capture, result } = noGrad(() =>
      scope(() => {
        const input = Tensor.from([1, 2, 3])
        return Capture.record([input], () => {
          kept = keep(ops.scale(input, 3))
          return ops.add(kept, kept)
        })
      }),
    )
    result.dispose()
    using x = Tensor.from([10, 20, 30])
    expect([...(await replayed(capture, [x]))]).toEqual([60, 120, 180])
    const outlives = kept as unknown as Tensor
    expect([...(await outlives.data())]).toEqual([3, 6, 9])
    capture[Symbol.dispose]()
    expect([...(await outlives.data())]).toEqual([3, 6, 9])
    outlives.dispose()
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
    expect(await replayed(capture, times[0])).toEqual(await direct(times[0]))
  })

  test('on the way, it is thrown once, and the next time is as good as any', async () => {
    using capture = captured()
    await expect(
      replayed(capture, [
        [1, 50],
        [0, 1],
        [5, 6],
      ]),
    ).rejects.toThrow('embedding: expected ids in [0, 50), got 50 at 1')
    expect(await replayed(capture, times[0])).toEqual(await direct(times[0]))
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
    await expect(replayed(capture, [ids, [0, 1], [5, 6]])).rejects.toThrow('argmax')
    expect(await replayed(capture, times[0])).toEqual(await direct(times[0]))
  })

  test('in the ops themselves, calls are no longer recorded', async () => {
    const failing = () =>
      noGrad(() => scope(() => Capture.record([Tensor.from(ints(1))], () => ops.embedding(table, Tensor.from([1])))))
    expect(failing).toThrow()
    expect(failing).toThrow('embedding')
    using capture = captured()
    expect(await replayed(capture, times[0])).toEqual(await direct(times[0]))
  })
})

describe('refuses', () => {
  test('a tape', () => {
    expect(() => scope(() => Capture.record([Tensor.from(ints(1))], () => Tensor.zeros([1])))).toThrow(
      'capture: expected no tape (use noGrad), got one',
    )
  })

  test('another inside', () => {
    const nested = () => noGrad(() => scope(() => Capture.record([Tensor.from(ints(1))], () => record().result)))
    expect(nested).toThrow(StateError)
    expect(nested).toThrow('capture: expected no capture inside another, got one')
  })

  test('inputs with gaps, or made on the way', () => {
    const recorded = (input: () => Tensor, ops: () => Tensor) => () =>
      void noGrad(() => scope(() => Capture.record([input()], ops)))
    const column = () => ops.slice(Tensor.zeros([2, 2]), 1, 0, 1)
    expect(recorded(column, () => Tensor.zeros([1]))).toThrow('capture: expected inputs that are dense tensors')
    expect(recorded(() => Tensor.zeros([1]), column)).toThrow('capture: expected a result that is a dense tensor')
  })

  test('values for floats', () => {
    using capture = doubled().capture
    expect(() => capture.replay([[1, 2, 3]])).toThrow('capture: expected a dense float32 tensor (3) of its device')
  })

  test('a replay inside', () => {
    using capture = captured()
    const nested = () =>
      noGrad(() => scope(() => Capture.record([Tensor.from(ints(1))], () => capture.replay(times[0])).result))
    expect(nested).toThrow('capture: expected no replay while recording, got one')
  })

  test('a replay once it is disposed', () => {
    const capture = captured()
    capture[Symbol.dispose]()
    capture[Symbol.dispose]()
    expect(() => capture.replay(times[0])).toThrow('capture: expected an open capture, got a disposed one')
  })
})
