// Bad input: a typed error that says which op, what it expected and what it got, and a queue that goes on.
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { DeviceError, DTypeError, device, ops, ShapeError, StateError, Tensor } from '../../lib/index.ts'
import { native } from '../../lib/tensor.ts'

const root = new URL('../..', import.meta.url).pathname

function node(program: string, env: Record<string, string> = {}) {
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
}

/** A scalar whose op fails when it runs: a label beyond its two classes. */
function outOfRange(label = 3): Tensor {
  return ops.crossEntropy(Tensor.from([[1, 2]]), Tensor.from(Int32Array.of(label)))
}

describe('at the call', () => {
  const floats = Tensor.from([[1, 2, 3]])
  const ints = Tensor.from(Int32Array.of(1, 2, 3))

  test.each([
    ['dtype', () => ops.add(floats, ints), DTypeError, 'binary: expected b of float32, float16 or bfloat16, got int32'],
    [
      'shape',
      () => ops.add(floats, Tensor.from([1, 2])),
      ShapeError,
      'binary: expected b to broadcast with a (1, 3), got (2)',
    ],
    ['rank', () => ops.gemm(floats, Tensor.from(1)), ShapeError, /^gemm: expected .+, got /],
    ['no tensor', () => ops.add(floats, 'x' as never), DTypeError, 'binary: expected b to be a Tensor, got string "x"'],
    [
      'a made-up handle',
      () => ops.add(floats, Object.assign(Object.create(Tensor.prototype), { handle: 12345 })),
      StateError,
      'binary: expected b to be a live tensor of this thread, got one of another thread',
    ],
    [
      'a gradient for integers',
      () => Tensor.from([1], { dtype: 'int32', requiresGrad: true }),
      DTypeError,
      'Tensor: expected a float dtype with requiresGrad, got int32',
    ],
    ['another device', () => device('cuda'), DeviceError, /^cuda: expected a (build with CUDA kernels|CUDA driver)/],
  ] as const)('%s', (_, call, ErrorClass, message) => {
    expect(call).toThrow(ErrorClass)
    expect(call).toThrow(message)
  })

  test('a disposed tensor', () => {
    const gone = Tensor.from([1])
    gone.dispose()
    const message = 'expected a to be a live tensor of this thread, got a disposed one'
    expect(() => ops.add(gone, floats)).toThrow(new StateError(`binary: ${message}`))
    expect(() => gone.data()).toThrow(StateError)
  })
})

describe('at the next wait', () => {
  test('an index out of range, once, with op, expected and got', async () => {
    const bad = outOfRange()
    await expect(bad.data()).rejects.toMatchObject({ name: 'IndexError', code: 'ERR_INDEX' })
    await device().synchronize()
  })

  test('the earliest error of several', async () => {
    outOfRange()
    outOfRange(7)
    await expect(device().synchronize()).rejects.toThrow(/got 3/)
    await device().synchronize()
  })

  test('what depends on a failed op is left out, the rest runs', async () => {
    const good = Tensor.from([1, 2])
    const poisoned = ops.add(outOfRange(), good)
    const fine = ops.add(good, good)
    await expect(device().synchronize()).rejects.toThrow('expected')
    expect([...(await fine.data())]).toEqual([2, 4])
    await expect(poisoned.data()).rejects.toThrow('expected inputs that were computed, got the result of a failed op')
    expect([...(await ops.add(fine, good).data())]).toEqual([3, 6])
  })

  test('an in-place update from a failed op is left out, and its tensor stays usable', async () => {
    const weight = Tensor.from(10)
    native.accumulate(weight, outOfRange())
    // Left out, too: an optimiser must not step on half of what it needs.
    native.accumulate(weight, Tensor.from(1))
    await expect(device().synchronize()).rejects.toMatchObject({ code: 'ERR_INDEX' })
    expect([...(await weight.data())]).toEqual([10])
    native.accumulate(weight, Tensor.from(1))
    expect([...(await weight.data())]).toEqual([11])
  })

  test('an update does not make good what was never written', async () => {
    const bad = outOfRange()
    native.accumulate(bad, Tensor.from(1))
    await expect(device().synchronize()).rejects.toMatchObject({ code: 'ERR_INDEX' })
    await expect(bad.data()).rejects.toBeInstanceOf(StateError)
  })
})

describe('the environment', () => {
  test('DUOFORMER_DEBUG=1 names the line that queued a failed op', () => {
    const program = `
      import { ops, Tensor } from './dist/index.js'
      function culprit() { return ops.crossEntropy(Tensor.from([[1, 2]]), Tensor.from(Int32Array.of(3))) }
      await culprit().data().catch((error) => console.log(error.stack))`
    expect(node(program, { DUOFORMER_DEBUG: '1' }).stdout).toMatch(
      /IndexError: .*\n {4}queued by:\n[\s\S]*at culprit \(/,
    )
    expect(node(program, { DUOFORMER_DEBUG: '' }).stdout).not.toContain('culprit')
  })

  test('an instruction set that this machine lacks is refused at import', () => {
    const { stdout } = node(
      `await import('./dist/index.js').catch((error) => console.log(error.code, error.message))`,
      {
        DUOFORMER_ISA: 'mmx',
      },
    )
    expect(stdout).toMatch(/^ERR_CONFIG DUOFORMER_ISA: expected scalar or .*, got mmx\n$/)
  })
})
